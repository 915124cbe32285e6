// The page "History": picture, sums and lists of one range.
import { Latest } from "./api.js";
import { TimeChart, onGrid } from "./chart.js";
import { element, hook, setText } from "./dom.js";
import { bitRate, bits, bytes, clockTime, count, moment, packetRate, phrase, show, span } from "./format.js";
import { ListPage } from "./list_page.js";
import { addressList, dayList, flowList, hostList, windowList } from "./lists.js";
import { ownerList } from "./owner_list.js";
import { Range, parameter, setAddress } from "./range.js";
import { showProtocols } from "./shares.js";
import { sumCounts, summary, windowRows } from "./windows.js";

const LISTS = {
  windows: () => windowList(windowRows, windowStep()),
  sources: () => addressList("source"),
  destinations: () => addressList("destination"),
  hosts: () => hostList(false),
  processes: () => ownerList(false),
  flows: () => flowList(false),
  days: () => dayList(),
};

// ── The picture ──

const zoomed = (from, to) => range.zoom(from, to);
const traffic = new TimeChart(hook("history-chart"), {
  series: [{ name: "in", mark: "▼", token: "in" }, { name: "out", mark: "▲", token: "out", mirrored: true }],
  figure: bits, floor: 1000, zoomed,
  sentence: (chart) => pictureSentence("Bits per second", chart.peak(0), bits),
});
const packets = new TimeChart(hook("history-packets"), {
  series: [{ name: "packets", token: "c2" }],
  figure: packetRate, floor: 1, zoomed,
  sentence: (chart) => pictureSentence("Packets per second", chart.peak(0), packetRate),
});

function pictureSentence(what, peak, figure) {
  return peak ? `${what} over the range; the highest, ${phrase(figure(peak.value))}, at ${moment(peak.time * 1000)}. The table below has the figures.` : `${what}: nothing in this range.`;
}

const latest = new Latest();

async function loadPicture() {
  hook("zoom-out").hidden = range.name !== "custom";
  try {
    const asked = range.span;
    const answer = await latest.ask("windows", { ...asked, q: page.search, step: "auto", sum: true });
    if (answer === null) return;
    const rows = windowRows(answer.windows).sort((a, b) => a.time - b.time);
    draw(rows, answer, asked);
  } catch (error) {
    traffic.say(error.message);
    setText(hook("lead"), "The history could not be read.");
  }
}

function draw(rows, answer, asked) {
  const step = answer.step_seconds || rows[0]?.seconds || 10;
  const [from, to] = [range.name === "all" && rows.length > 0 ? rows[0].time : Date.parse(asked.from) / 1000, Date.parse(asked.to) / 1000];
  const [times, [received, sent, number]] = onGrid(rows, step, [
    (row) => (row.rx_bytes * 8) / row.seconds, (row) => (row.tx_bytes * 8) / row.seconds, (row) => (row.rx_packets + row.tx_packets) / row.seconds,
  ]);
  traffic.set(times, [received, sent], [from, to]);
  packets.set(times, [number], [from, to]);
  if (rows.length === 0) traffic.say(page.search ? "No window in this range has that in it." : "Nothing is stored for this range.");
  setText(hook("step"), rows.length > 0 ? `a point is ${span(step)}` : "");
  showSums(summary(rows), rows);
  showGaps(answer.gaps ?? []);
  showProtocols(hook("protocols"), [{ application: sumCounts(rows.map((row) => row.application)) }], "Nothing in this range.");
}

function showSums(sum, rows) {
  const total = sum.rx_bytes + sum.tx_bytes;
  show(hook("total-in"), bytes(sum.rx_bytes));
  show(hook("total-out"), bytes(sum.tx_bytes));
  const figures = {
    total: bytes(total), packets: count(sum.rx_packets + sum.tx_packets), peak: bits(sum.peak),
    mean: bitRate(sum.seconds > 0 ? total / sum.seconds : 0), syn: count(sum.syn),
  };
  for (const [name, figure] of Object.entries(figures)) show(hook(`summary="${name}"`), figure);
  setText(hook("lead"), leadSentence(sum, rows));
}

function leadSentence(sum, rows) {
  if (rows.length === 0) return page.search ? `Nothing in this range has “${page.search}” in it.` : "Nothing is stored for this range. History begins when the collector first ran.";
  const when = sum.peakTime ? `; the busiest moment was ${moment(sum.peakTime * 1000)} at ${phrase(bits(sum.peak))}` : "";
  const what = page.search ? `Windows with “${page.search}” in them moved` : "In this range";
  return page.search ? `${what} ${phrase(bytes(sum.rx_bytes + sum.tx_bytes))} in all${when}.` : `${what} ${phrase(bytes(sum.rx_bytes + sum.tx_bytes))} went over the wire${when}.`;
}

function showGaps(gaps) {
  const place = hook("gaps");
  if (gaps.length === 0) return place.replaceChildren();
  const seconds = gaps.reduce((sum, gap) => sum + (Date.parse(gap.end) - Date.parse(gap.start)) / 1000, 0);
  place.replaceChildren(element("details", {},
    // an alert or an event that is missing has no length
    element("summary", {}, `${gaps.length === 1 ? "One gap" : `${gaps.length} gaps`}${seconds > 0 ? `, ${span(seconds)} not seen` : ""}`),
    element("ul", { class: "alert-list" }, ...gaps.map((gap) => element("li", { class: "warning" }, element("i"),
      element("div", {}, gap.reason || "not seen", element("small", {}, `${moment(gap.start)}${gap.end === gap.start ? "" : ` to ${clockTime(gap.end)}`}${gap.interface ? ` · ${gap.interface}` : ""}`)))))));
}

// ── The list ──

const DAY_MILLIS = 86_400_000;
const KEPT_DAYS = 7;

/** Windows as they closed while they are kept and few enough to read, else what they were rolled up to. */
function windowStep() {
  const { from, to } = range.span;
  const recent = Date.now() - Date.parse(from) < KEPT_DAYS * DAY_MILLIS;
  return recent && Date.parse(to) - Date.parse(from) <= DAY_MILLIS ? "window" : "auto";
}

function listName() {
  return parameter("list") in LISTS ? parameter("list") : "windows";
}

function showList() {
  for (const button of document.querySelectorAll("[data-list-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.listChoice === listName()));
  }
  page.show(LISTS[listName()]());
}

hook("lists").addEventListener("click", (event) => {
  const name = event.target.closest("[data-list-choice]")?.dataset.listChoice;
  if (!name) return;
  setAddress({ list: name === "windows" ? null : name });
  showList();
});

function load() {
  loadPicture();
  showList();
}

const range = new Range(load);
const page = new ListPage(range);
page.searched = loadPicture;
hook("zoom-out").addEventListener("click", () => range.widen());
load();
