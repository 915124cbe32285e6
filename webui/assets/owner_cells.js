// Owners in tables: who it is, how surely that is known, and whether it is over the threshold.
import { element, setText } from "./dom.js";
import { chosenInterface } from "./live.js";

/** By what rows can be put together → the field that they then have in common. */
export const GROUP_FIELDS = { pid: null, program: "name", unit: "unit", container: "container", user: "user" };

const QUALITIES = {
  exact: ["", "exact", "one process held the socket"],
  listener: ["", "listener", "the listener that the connection came to"],
  shared: ["warn", "shared", "several processes held the socket"],
  kernel: ["", "kernel", "the kernel's own traffic"],
  unknown: ["warn", "unknown", "nobody is known to hold the socket"],
};

/** What makes an owner, or a group of them, the same one. */
export function ownerKey(row, group = "pid") {
  const field = GROUP_FIELDS[group];
  if (!isProcess(row)) return field ? `none ${row.name}` : `none ${row.name} ${row.reason}`;
  if (!field) return `${row.name} ${row.pid} ${row.started}`;
  return `${group} ${row[field]}`;
}

/** A group of processes has no pid either; what is none was matched to the kernel or to nobody. */
export const isProcess = (row) => row.pid !== null || !["kernel", "unknown"].includes(row.quality);

/** What the API is asked for to get this row again. */
export function ownerQuestion(row, group = "pid") {
  const field = GROUP_FIELDS[group];
  if (!isProcess(row)) return { name: row.name, pid: 0 };
  if (field) return { [field]: row[field] || "-" };
  return { name: row.name, pid: row.pid, started: row.started };
}

/** Its page, over the range that this page shows. */
export function ownerAddress(question) {
  const query = new URLSearchParams(Object.entries(question));
  const here = new URLSearchParams(location.search);
  for (const name of ["range", "from", "to"]) if (here.has(name)) query.set(name, here.get(name));
  if (chosenInterface) query.set("interface", chosenInterface);
  return `/processes?${query}`;
}

const WORDS = { no_flow: "no flow" };

/** The name to show: of a group what its rows have in common. */
export function ownerName(row, group = "pid") {
  const field = GROUP_FIELDS[group];
  if (!isProcess(row)) return WORDS[row.name] ?? row.name;
  if (field && field !== "name") return row[field] || `no ${group}`;
  return row.name;
}

function note(row, { group, now }) {
  if (!isProcess(row)) return row.reason || (QUALITIES[row.quality] ?? [])[2] || "";
  if (GROUP_FIELDS[group]) {
    const number = `${row.members ?? 1} ${row.members > 1 ? "processes" : "process"}`;
    return group === "program" ? number : [number, row.name].filter(Boolean).join(" · ");
  }
  const ended = now && row.alive === false ? "ended" : "";
  return [ended, row.command_line || row.executable].filter(Boolean).join(" · ");
}

/**
 * Name as a link to what is known of it, a word where it is over the threshold, and its command line below. Of the past
 * (not `now`) nothing says which of them have ended since.
 */
export function ownerColumn(group, label, now = true) {
  return {
    name: "name", label, head: true, kind: "owner", sort: (row) => ownerName(row, group),
    draw: (cell, row) => {
      if (!cell.firstChild) cell.append(element(row.others ? "span" : "a"), element("span", { class: "badge tone-bad", hidden: true }, "over"), element("small", { class: "line" }));
      const [name, over, small] = cell.children;
      if (row.others) return setText(name, row.name);
      setText(name, ownerName(row, group));
      const href = ownerAddress(ownerQuestion(row, group));
      if (name.getAttribute("href") !== href) name.href = href;
      over.hidden = !row.over_threshold;
      over.title = "over the threshold now";
      const text = note(row, { group, now });
      setText(small, text);
      small.title = text;
    },
  };
}

/** How its traffic was matched, with the reason as title. */
export const qualityColumn = (more = {}) => ({
  name: "quality", label: "Match", kind: "text", sort: (row) => row.quality ?? "", ...more,
  draw: (cell, row) => {
    const [tone, word, meaning] = QUALITIES[row.quality] ?? ["", "", ""];
    if (!cell.firstChild) cell.append(element("span"));
    cell.firstChild.className = word ? `badge${tone ? ` tone-${tone}` : ""}` : "";
    setText(cell.firstChild, word);
    cell.title = row.reason || meaning;
  },
});

/** One end's owner in a line: "nginx 1234". */
export const ownerWords = (owner) => (owner ? [WORDS[owner.name] ?? owner.name, owner.pid].filter(Boolean).join(" ") : "");

/** Who of this machine is behind a flow: one end, or both where both are here. */
export function ownersOf(flow) {
  const ends = [flow.initiator_owner, flow.responder_owner].filter(Boolean);
  return ends.map(ownerWords).join(" → ");
}

/** A cell with the owners of a flow, each leading to its page. */
export function ownersCell(cell, flow) {
  const ends = [flow.initiator_owner, flow.responder_owner].filter(Boolean);
  const text = ends.map((owner) => `${ownerWords(owner)} ${owner.started ?? ""}`).join("\n");
  if (cell.dataset.owners === text) return;
  cell.dataset.owners = text;
  const links = ends.flatMap((owner, at) => [at > 0 ? " → " : "", element("a", { href: ownerAddress(ownerQuestion(owner)), title: QUALITIES[owner.quality]?.[2] }, WORDS[owner.name] ?? owner.name), owner.pid ? element("small", {}, ` ${owner.pid}`) : null]);
  cell.replaceChildren(...links.filter(Boolean));
}
