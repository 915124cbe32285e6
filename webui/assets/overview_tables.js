// The tables of the page "Now".
import { barColumn, bitsColumn, bytesColumn, countColumn, hostColumn, othersRow, textColumn } from "./cells.js";
import { drawing, element, hook, setText } from "./dom.js";
import { Table } from "./tables.js";
import { chosen } from "./live.js";
import { isProcess, ownerColumn, ownerKey } from "./owner_cells.js";
import { liveOwners } from "./owner_live.js";

const TOP = 6;
const total = (row) => (row.rx_bytes ?? 0) + (row.tx_bytes ?? 0);
const rate = (row) => (row.rx_bits_per_second ?? 0) + (row.tx_bits_per_second ?? 0);

/** Rows of several interfaces with the same address become one. */
function merged(lists, fields) {
  const rows = new Map();
  const others = { rows: 0 };
  for (const list of lists) {
    for (const row of list?.rows ?? []) {
      const sum = rows.get(row.address);
      if (!sum) rows.set(row.address, { ...row });
      else for (const field of fields) sum[field] = (sum[field] ?? 0) + (row[field] ?? 0);
    }
    for (const field of ["rows", ...fields]) others[field] = (others[field] ?? 0) + (list?.others?.[field] ?? 0);
  }
  return { rows: [...rows.values()], others };
}

/** The first `most`, and one row for all else. */
function topped({ rows, others }, by, most, fields) {
  const sorted = rows.sort((a, b) => by(b) - by(a));
  const rest = { rows: (others.rows ?? 0) + Math.max(0, sorted.length - most) };
  for (const field of fields) rest[field] = (others[field] ?? 0) + sorted.slice(most).reduce((sum, row) => sum + (row[field] ?? 0), 0);
  return [...sorted.slice(0, most), othersRow(rest, rest)];
}

// ── Top sources and destinations of the last window ──

const rankings = {};
for (const name of ["sources", "destinations"]) {
  let largest = 0;
  const table = new Table(hook(`ranking="${name}"`), {
    caption: `Top ${name} of the last window`,
    key: (row) => (row.rest ? "others" : row.address),
    columns: [
      hostColumn("Address"),
      countColumn("packets", "Packets", (row) => row.packets, { drop: 2 }),
      barColumn("bytes", "Bytes", (row) => row.bytes, () => largest),
    ].map(({ sort, ...column }) => column),
  });
  table.say("The first window has not closed yet.");
  rankings[name] = (rows) => {
    largest = Math.max(...rows.map((row) => row.bytes));
    table.update(rows);
  };
}

export function showRankings(last) {
  if (!last) return;
  const parts = chosen(last.interfaces);
  for (const [name, draw] of Object.entries(rankings)) {
    const fields = ["packets", "bytes"];
    draw(topped(merged(parts.map((one) => one[name]), fields), (row) => row.bytes, TOP, fields));
  }
}

// ── Hosts now ──

const hosts = new Table(hook("hosts-now"), {
  caption: "Hosts with the most traffic now",
  key: (row) => (row.rest ? "others" : row.address),
  columns: [
    hostColumn(),
    textColumn("protocols", "Protocols", (row) => (row.protocols ?? []).slice(0, 4).join(", "), { drop: 1 }),
    bitsColumn("in", "In", (row) => row.rx_bits_per_second),
    bitsColumn("out", "Out", (row) => row.tx_bits_per_second),
    bytesColumn("total", "Since start", total, { drop: 2 }),
  ].map(({ sort, ...column }) => column),
});

export function showHosts(interfaces) {
  const fields = ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_bits_per_second", "tx_bits_per_second"];
  const rows = topped(merged(interfaces.map((one) => one.hosts), fields), (row) => rate(row) + total(row) / 1e15, 8, fields);
  if (rows.length === 1 && total(rows[0]) === 0) hosts.say("No other host has been seen yet.");
  else hosts.update(rows);
}

// ── Processes now ──

const processes = new Table(hook("processes-now"), {
  caption: "Processes with the most traffic now",
  key: (row) => (row.others ? "others" : ownerKey(row)),
  columns: [
    ownerColumn("pid", "Process"),
    textColumn("user", "User", (row) => row.user ?? "", { drop: 1 }),
    textColumn("protocols", "Protocols", (row) => (row.protocols ?? []).slice(0, 4).join(", "), { drop: 2 }),
    bitsColumn("in", "In", (row) => row.rx_bits_per_second),
    bitsColumn("out", "Out", (row) => row.tx_bits_per_second),
    bytesColumn("total", "Since start", total, { drop: 2 }),
  ].map(({ sort, ...column }) => column),
});

export function showProcesses(state) {
  const { rows, others = {} } = liveOwners(state);
  const fields = ["rx_bytes", "tx_bytes", "rx_bits_per_second", "tx_bits_per_second"];
  const top = topped({ rows: [...rows], others }, (row) => rate(row) + total(row) / 1e15, TOP, fields);
  if (rows.length === 0 && total(top[0]) === 0) processes.say("No process has moved anything yet.");
  else processes.update(top.map((row) => ({ ...row, others: row.rest, rest: row.rest || !isProcess(row) })));
}

// ── Interfaces ──

const SPARK_SECONDS = 60;

function sparkCell(cell, { series }) {
  if (!cell.firstChild) {
    cell.append(drawing("svg", { class: "spark", viewBox: "0 0 60 22", preserveAspectRatio: "none", "aria-hidden": "true" }, drawing("path"), drawing("path", { class: "out" })));
  }
  const last = series.slice(-SPARK_SECONDS);
  const most = Math.max(1, ...last.map((second) => Math.max(second.rx_bytes, second.tx_bytes)));
  for (const [index, field] of ["rx_bytes", "tx_bytes"].entries()) {
    const path = last.map((second, at) => `${at === 0 ? "M" : "L"}${60 - last.length + at} ${(21 - (second[field] / most) * 20).toFixed(1)}`).join("");
    cell.firstChild.children[index].setAttribute("d", path);
  }
}

const STATE = { up: ["ok", "captured"], gone: ["warn", "gone"], error: ["bad", "failed"] };

function stateCell(cell, row) {
  const [tone, word] = STATE[row.state] ?? ["", row.state];
  if (!cell.firstChild) cell.append(element("span"));
  cell.firstChild.className = `badge tone-${tone}`;
  setText(cell.firstChild, word);
  cell.title = row.reason ?? "";
}

const interfaceTable = new Table(hook("interface-table"), {
  caption: "Interfaces",
  key: (row) => row.address,
  columns: [
    hostColumn("Interface"),
    { name: "state", label: "State", draw: stateCell },
    { name: "spark", label: "Last minute", drop: 1, draw: sparkCell },
    bitsColumn("in", "In", (row) => row.second.rx_bytes * 8),
    bitsColumn("out", "Out", (row) => row.second.tx_bytes * 8),
    bytesColumn("today", "Today", (row) => total(row.today), { drop: 2 }),
  ].map(({ sort, ...column }) => column),
});

for (const table of [hosts, processes, interfaceTable]) table.say("Waiting for the first figures.");

function note(one) {
  if (one.reason) return one.reason;
  return [one.primary ? "primary" : "", one.in_totals ? "" : "not in totals"].filter(Boolean).join(", ");
}

export function showInterfaces(feed) {
  interfaceTable.update(feed.state.interfaces.map((one) => ({ ...one, address: one.name, name: "", plain: true, note: note(one), series: feed.seconds.get(one.name) ?? [] })));
}
