// Shares of a whole: protocol mix, and where every byte went.
import { drawing, element } from "./dom.js";
import { bytes, percent, phrase, show } from "./format.js";

const SLOTS = 5;
const slots = new Map(); // protocol → colour slot, kept as long as it is shown, so that colours do not jump

/** `parts`: [{name, value, tone}] drawn as one bar. */
function stacked(parts, whole, label) {
  let x = 0;
  const rects = parts.map(({ value, tone }) => {
    const width = whole > 0 ? (value / whole) * 100 : 0;
    const rect = drawing("rect", { class: tone, x: x.toFixed(2), width: Math.max(0, width - (width > 1 ? 0.4 : 0)).toFixed(2), height: 14 });
    x += width;
    return rect;
  });
  return drawing("svg", { class: "mix", viewBox: "0 0 100 14", preserveAspectRatio: "none", role: "img", "aria-label": label }, ...rects);
}

export function showProtocols(place, parts, none = "No traffic in the last window.") {
  const sums = new Map();
  for (const part of parts) {
    for (const [name, { bytes: size }] of Object.entries(part.application ?? {})) sums.set(name, (sums.get(name) ?? 0) + size);
  }
  const whole = [...sums.values()].reduce((sum, size) => sum + size, 0);
  if (whole === 0) return place.replaceChildren(element("p", { class: "empty" }, none));
  const top = [...sums].filter(([name]) => name !== "other").sort((a, b) => b[1] - a[1]).slice(0, SLOTS);
  const rest = whole - top.reduce((sum, [, size]) => sum + size, 0);
  assignSlots(top.map(([name]) => name));
  const rows = [...top.map(([name, value]) => ({ name: name.toUpperCase().length <= 5 ? name.toUpperCase() : name, value, tone: `f${slots.get(name)}` })), { name: "other", value: rest, tone: "f6" }];
  const label = `Protocols: ${rows.map((row) => `${row.name} ${phrase(percent(row.value / whole))}`).join(", ")}`;
  place.replaceChildren(stacked(rows, whole, label), element("ul", { class: "legend" }, ...rows.map((row) => legendRow(row, whole))));
}

function assignSlots(names) {
  for (const name of slots.keys()) if (!names.includes(name)) slots.delete(name);
  const free = Array.from({ length: SLOTS }, (_, index) => index + 1).filter((slot) => ![...slots.values()].includes(slot));
  for (const name of names) if (!slots.has(name)) slots.set(name, free.shift());
}

function legendRow({ name, value, tone }, whole) {
  const figure = element("span", { class: "n", title: phrase(bytes(value)) });
  show(figure, percent(value / whole));
  figure.title = bytes(value).exact;
  return element("li", {}, element("i", { class: `key ${tone}` }), name, figure);
}

// ── The ledger: kernel = captured + lost + outside ──

const LEDGER = [
  ["kernel", "Kernel counted", null],
  ["captured", "captured", "f1"],
  ["lost", "lost by capture", "f-bad"],
  ["outside", "outside capture", "f6"],
];

export function showLedger(place, interfaces) {
  const sum = { kernel: 0, captured: 0, lost: 0, outside: 0 };
  for (const { ledger } of interfaces) {
    sum.kernel += ledger.kernel_bytes;
    sum.captured += ledger.attributed_bytes + ledger.unattributed_bytes;
    sum.lost += ledger.lost_bytes;
    sum.outside += ledger.outside_bytes;
  }
  if (place.childElementCount !== 2) place.replaceChildren(element("div"), element("dl", { class: "ledger" }, ...LEDGER.map(ledgerRow)));
  for (const [index, [name]] of LEDGER.entries()) show(place.lastChild.children[index].lastChild, bytes(sum[name]));
  const label = `Of ${phrase(bytes(sum.kernel))} that the kernel counted, ${phrase(bytes(sum.captured))} were captured and ${phrase(bytes(sum.lost))} lost`;
  const parts = LEDGER.slice(1).map(([name, , tone]) => ({ name, value: Math.max(0, sum[name]), tone }));
  place.firstChild.replaceChildren(stacked(parts, parts.reduce((whole, part) => whole + part.value, 0), label));
}

const HINTS = {
  "outside capture": "what the filter left out, start-up, and headers that offload hides; negative while capture is ahead of the kernel's counters",
};

function ledgerRow([, label, tone]) {
  return element("div", {}, element("dt", { title: HINTS[label] ?? null }, tone ? element("i", { class: `key ${tone}` }) : null, label), element("dd"));
}
