// A chart over time, around uPlot: one unit, gaps stay gaps, read by pointer or arrow keys, zoomed by dragging.
import uPlot from "./vendor/uplot.js";
import { color, onThemeChange } from "./colors.js";
import { element } from "./dom.js";
import { clockTime, dayName, fullDate, phrase, shortTime, timeZone } from "./format.js";

const AXIS_FONT = "11px Inter, system-ui, sans-serif";
const DAY = 86_400;

/**
 * `series`: [{name, mark, token, mirrored, fill}]; a mirrored one is drawn below the line. `figure` turns a value into
 * {text, unit}; `floor` is the least height of the scale; `sentence(chart)` is what the picture says; `zoomed(from, to)`
 * gets seconds since 1970.
 */
export class TimeChart {
  #node;
  #options;
  #plot = null;
  #readout;
  #message = null;
  #picture;
  #times = [];
  #values = [];
  #range = null;

  constructor(node, options) {
    this.#node = node;
    this.#options = { floor: 1, ...options };
    this.#picture = element("div", { role: "img", tabindex: 0, "aria-label": "Chart, no figures yet" });
    this.#readout = element("output", { class: "readout", hidden: true });
    node.replaceChildren(this.#picture, this.#readout);
    this.#picture.addEventListener("keydown", (event) => this.#key(event));
    this.#picture.addEventListener("blur", () => this.#move(-10));
    new ResizeObserver(() => this.#resize()).observe(node);
    onThemeChange(() => this.#plot?.redraw(false, true));
  }

  /** `times` in seconds, ascending; one array of values (null: not known) a series; `range` is [from, to]. */
  set(times, values, range) {
    this.#times = times;
    this.#values = values;
    this.#range = range;
    this.say("");
    const drawn = [times, ...values.map((one, index) => (this.#options.series[index].mirrored ? one.map((value) => (value === null ? null : -value)) : one))];
    if (this.#plot) this.#plot.setData(drawn);
    else this.#create(drawn);
    const label = this.#options.sentence(this);
    if (this.#picture.getAttribute("aria-label") !== label) this.#picture.setAttribute("aria-label", label);
  }

  /** A sentence in place of the picture: loading, empty, failing. "" shows the picture. */
  say(sentence) {
    if (!sentence) {
      this.#message?.remove();
      this.#message = null;
      return;
    }
    this.#message ??= element("p", { class: "message", role: "status" });
    this.#message.textContent = sentence;
    this.#node.append(this.#message);
  }

  /** {time, value} of the largest value of a series, or null. */
  peak(index) {
    let best = null;
    for (const [at, value] of (this.#values[index] ?? []).entries()) {
      if (value !== null && (best === null || value > best.value)) best = { time: this.#times[at], value };
    }
    return best;
  }

  #create(drawn) {
    const box = this.#node.getBoundingClientRect();
    this.#plot = new uPlot({ ...this.#settings(), width: Math.max(100, Math.round(box.width)), height: Math.round(box.height) }, drawn, this.#picture);
  }

  #settings() {
    const { series, zoomed } = this.#options;
    return {
      padding: [10, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: Boolean(zoomed), y: false, setScale: false } },
      tzDate: (seconds) => (timeZone ? uPlot.tzDate(new Date(seconds * 1000), timeZone) : new Date(seconds * 1000)),
      scales: { x: { range: (_, least, most) => this.#range ?? [least, most] }, y: { range: (_, least, most) => this.#extent(least, most) } },
      axes: [
        { ...axisLook(), grid: { show: false }, ticks: { show: false }, size: 24, gap: 6, space: (_, __, ___, ____, width) => (width < 400 ? 48 : 84), values: (_, at, __, ___, step) => at.map((time) => timeLabel(time, step)) },
        { ...axisLook(), grid: { stroke: () => color("edge"), width: 1 }, ticks: { show: false }, size: 72, gap: 8, space: (plot) => Math.min(56, (plot.bbox.height / devicePixelRatio) * 0.4), values: (_, at) => this.#labels(at) },
      ],
      series: [{}, ...series.map((one) => ({
        label: one.name, width: 1.5, spanGaps: false, points: { size: 4, filter: (plot, at, shown, gaps) => lonely(plot.data[at]) },
        stroke: () => color(one.token), fill: one.fill === false ? undefined : () => color(one.token, 0.14), fillTo: 0,
      }))],
      hooks: { setCursor: [() => this.#read()], setSelect: [(plot) => this.#selected(plot)] },
    };
  }

  #extent(least, most) {
    const { floor, series } = this.#options;
    const top = Math.max(floor, (most ?? 0) * 1.06);
    if (!series.some((one) => one.mirrored)) return [0, top];
    return [Math.min(-Math.max(floor, top) * 0.18, (least ?? 0) * 1.06), Math.max(top, -(least ?? 0) * 0.18)];
  }

  #labels(at) {
    return at.map((value) => tickLabel(this.#options.figure(Math.abs(value))));
  }

  #read() {
    const index = this.#plot?.cursor.idx;
    const outside = index === null || index === undefined || (this.#plot.cursor.left ?? -1) < 0;
    this.#readout.hidden = outside;
    if (outside) return;
    const left = this.#plot.cursor.left > this.#plot.bbox.width / devicePixelRatio / 2;
    this.#readout.classList.toggle("left", left);
    const time = this.#times[index] * 1000;
    this.#readout.replaceChildren(`${this.#long() ? `${dayName(time)}, ` : ""}${clockTime(time)}`,
      ...this.#options.series.map((one, at) => {
        const value = this.#values[at]?.[index];
        return element("b", {}, `${one.mark ?? one.name} ${value === null || value === undefined ? "not seen" : phrase(this.#options.figure(value))}`);
      }));
  }

  #long() {
    return this.#range && this.#range[1] - this.#range[0] > DAY / 2;
  }

  #selected(plot) {
    if (plot.select.width < 6) return;
    const from = plot.posToVal(plot.select.left, "x");
    const to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.#options.zoomed?.(from, to);
  }

  #key(event) {
    if (!this.#plot || this.#times.length === 0) return;
    const now = this.#plot.cursor.idx ?? this.#times.length;
    const last = this.#times.length - 1;
    const step = event.shiftKey ? 10 : 1;
    const next = { ArrowLeft: now - step, ArrowRight: now + step, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.#move(-10);
    if (next === undefined) return;
    event.preventDefault();
    this.#move(this.#plot.valToPos(this.#times[Math.max(0, Math.min(last, next))], "x"));
  }

  #move(left) {
    this.#plot?.setCursor({ left, top: 10 });
  }

  #resize() {
    const box = this.#node.getBoundingClientRect();
    if (!this.#plot || box.width === 0) return;
    this.#plot.setSize({ width: Math.round(box.width), height: Math.round(box.height) });
  }
}

/** Indices of values without a neighbour: no line would show them. */
function lonely(values) {
  const missing = (value) => value === null || value === undefined;
  return values.reduce((found, value, at) => {
    if (!missing(value) && missing(values[at - 1]) && missing(values[at + 1])) found.push(at);
    return found;
  }, []);
}

const axisLook = () => ({ font: AXIS_FONT, stroke: () => color("dim") });

/** Without trailing zeros, and "packets/s" as "/s": the card's title says of what. */
function tickLabel({ text, unit }) {
  return text === "0" ? "0" : `${text.includes(".") ? text.replace(/\.?0+$/, "") : text} ${unit.replace("packets", "")}`;
}

function timeLabel(time, step) {
  const at = time * 1000;
  if (step < 60) return clockTime(at);
  if (step < DAY) return shortTime(at) === "00:00" ? dayName(at) : shortTime(at);
  return step < 28 * DAY ? dayName(at) : fullDate(at);
}

/**
 * Rows at a fixed step with null where none is: rows are objects with `time` in seconds, `pick(row)` gives one value a
 * series. Returns [times, values].
 */
export function onGrid(rows, step, picks) {
  const times = [];
  const values = picks.map(() => []);
  for (const row of rows) {
    if (times.length > 0 && row.time - times.at(-1) > step * 1.5) {
      times.push(times.at(-1) + step);
      for (const one of values) one.push(null);
    }
    times.push(row.time);
    for (const [index, pick] of picks.entries()) values[index].push(pick(row));
  }
  return [times, values];
}
