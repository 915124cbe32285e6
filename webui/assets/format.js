// Values as text. Three significant digits, the unit apart, powers of ten; rates in bits, amounts in bytes.
import { element, setText } from "./dom.js";

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Three significant digits without an exponent: 0, 0.42, 4.87, 31.2, 640. */
function digits(value) {
  if (value === 0) return "0";
  if (value < 0.01) return "<0.01";
  if (value >= 99.95) return String(Math.round(value));
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

function scaled(value, unit, exact) {
  const size = Math.abs(value);
  let step = 0;
  let scaledSize = size;
  while (scaledSize >= 999.5 && step < PREFIXES.length - 1) {
    scaledSize /= 1000;
    step += 1;
  }
  const text = step === 0 && Number.isInteger(size) ? String(size) : digits(scaledSize);
  return { text: (value < 0 ? "−" : "") + text, unit: PREFIXES[step] + unit, exact };
}

/** Bits per second from bytes per second. */
export function bitRate(bytesPerSecond) {
  const bits = (bytesPerSecond || 0) * 8;
  return scaled(bits, "bit/s", `${grouped.format(bits)} bit/s`);
}

/** Bits per second. */
export function bits(perSecond) {
  return scaled(perSecond || 0, "bit/s", `${grouped.format(perSecond || 0)} bit/s`);
}

export function byteRate(bytesPerSecond) {
  return scaled(bytesPerSecond || 0, "B/s", `${grouped.format(bytesPerSecond || 0)} B/s`);
}

export function bytes(count) {
  return scaled(count || 0, "B", `${grouped.format(count || 0)} bytes`);
}

export function packetRate(perSecond) {
  const rate = perSecond || 0;
  return { text: rate < 99.95 && !Number.isInteger(rate) ? digits(rate) : grouped.format(rate), unit: "packets/s", exact: `${rate} packets/s` };
}

export function count(number, unit = "") {
  const value = number || 0;
  return { ...(value < 1_000_000 ? { text: grouped.format(value), unit } : scaled(value, unit ? ` ${unit}` : "")), exact: `${grouped.format(value)} ${unit}`.trim() };
}

/** A round trip, from microseconds. */
export function duration(micros) {
  const exact = `${grouped.format(micros)} µs`;
  if (micros < 999.5) return { text: String(Math.round(micros)), unit: "µs", exact };
  if (micros < 999_500) return { text: digits(micros / 1000), unit: "ms", exact };
  return { text: digits(micros / 1_000_000), unit: "s", exact };
}

export function percent(share) {
  const value = (share || 0) * 100;
  return { text: value > 0 && value < 1 ? "<1" : String(Math.round(value)), unit: "%", exact: `${value.toFixed(2)} %` };
}

/** One string, for sentences and labels. */
export function phrase(figure) {
  return figure.unit ? `${figure.text} ${figure.unit}` : figure.text;
}

/** Shows a figure in a node: number, small unit, exact value as its title. Nodes are kept, so nothing moves. */
export function show(node, figure) {
  if (!node) return;
  if (node.childElementCount !== 2 || !node.firstChild.classList?.contains("n")) {
    node.replaceChildren(element("span", { class: "n" }), element("span", { class: "u" }));
  }
  setText(node.firstChild, figure.text);
  setText(node.lastChild, figure.unit);
  if (figure.exact && node.title !== figure.exact) node.title = figure.exact;
}

// ── Time, in the zone of the watched machine ──

const zone = validZone(document.body.dataset.timeZone);

function validZone(name) {
  try {
    return name ? new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone : undefined;
  } catch {
    return undefined;
  }
}

/** IANA name, or undefined for the browser's own. */
export const timeZone = zone;

const style = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
const second = style({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const fraction = style({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const minute = style({ hour: "2-digit", minute: "2-digit" });
const day = style({ weekday: "short", day: "numeric", month: "short" });
const date = style({ day: "numeric", month: "short", year: "numeric" });
const isoDay = new Intl.DateTimeFormat("sv-SE", { timeZone: zone });

export const clockTime = (time) => second.format(new Date(time));
export const exactTime = (time) => fraction.format(new Date(time));
export const shortTime = (time) => minute.format(new Date(time));
export const dayName = (time) => day.format(new Date(time));
export const fullDate = (time) => date.format(new Date(time));

/** Time alone for today, with the date otherwise. */
export function moment(time, now = Date.now()) {
  return isoDay.format(new Date(time)) === isoDay.format(new Date(now)) ? clockTime(time) : `${dayName(time)}, ${clockTime(time)}`;
}

/** "42 s", "5 min", "3 h", "2 days". */
export function span(seconds) {
  const steps = [[172_800, 86_400, "days"], [5400, 3600, "h"], [90, 60, "min"]];
  for (const [from, unit, name] of steps) if (seconds >= from) return `${Math.round(seconds / unit)} ${name}`;
  return `${Math.round(seconds)} s`;
}
