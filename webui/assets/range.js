// The span of time that a page shows: named and relative, or from … to; always in the address bar.
import { hook } from "./dom.js";
import { timeZone } from "./format.js";

const NAMED_SECONDS = { "1h": 3600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, "365d": 31_536_000 };

/** Parameters of the address, changed in place; null and "" remove one. `push` makes a step to go back to. */
export function setAddress(changes, push = false) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  const address = location.pathname + (text ? `?${text}` : "");
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

export const parameter = (name) => new URLSearchParams(location.search).get(name) ?? "";

/** Follows the buttons and the address bar; calls `changed()` after each change. */
export class Range {
  #usual;
  #changed;

  constructor(changed) {
    this.#usual = hook("ranges").dataset.usual;
    this.#changed = changed;
    hook("ranges").addEventListener("click", (event) => this.#choose(event.target.closest("[data-range]")?.dataset.range));
    hook("range-form").addEventListener("submit", (event) => this.#submitted(event));
    addEventListener("popstate", () => this.#told());
    this.#mark();
  }

  /** `now`, `1h` …, `all`, or `custom`. */
  get name() {
    if (parameter("from") && parameter("to")) return "custom";
    const named = parameter("range");
    return named in NAMED_SECONDS || named === "all" || named === "now" ? named : this.#usual;
  }

  /** {from, to} as RFC 3339; empty for now and for all, where the other side has no end. */
  get span() {
    const name = this.name;
    if (name === "custom") return { from: parameter("from"), to: parameter("to") };
    if (name === "now") return {};
    const to = new Date();
    const from = name === "all" ? new Date(0) : new Date(to - NAMED_SECONDS[name] * 1000);
    return { from: rfc3339(from), to: rfc3339(to) };
  }

  /** As a picture's zoom does: seconds since 1970. */
  zoom(from, to) {
    this.#set({ from: rfc3339(new Date(Math.floor(from) * 1000)), to: rfc3339(new Date(Math.ceil(Math.max(to, from + 10)) * 1000)), range: null });
  }

  /** Twice as wide around its middle, at most until now. */
  widen() {
    const { from, to } = this.span;
    const [start, end] = [Date.parse(from) / 1000, Date.parse(to) / 1000];
    const half = (end - start) / 2;
    this.zoom(start - half, Math.min(end + half, Date.now() / 1000));
  }

  #choose(name) {
    if (!name) return;
    const form = hook("range-form");
    if (name === "custom") {
      form.hidden = !form.hidden;
      const { from, to } = this.span;
      form.elements.from.value = local(from ? new Date(from) : new Date(Date.now() - 3_600_000));
      form.elements.to.value = local(to ? new Date(to) : new Date());
      return;
    }
    form.hidden = true;
    this.#set({ from: null, to: null, range: name === this.#usual ? null : name });
  }

  #submitted(event) {
    event.preventDefault();
    const { from, to } = event.target.elements;
    const [start, end] = [instant(from.value), instant(to.value)];
    to.setCustomValidity(end > start ? "" : "The end must lie after the start.");
    if (event.target.reportValidity()) this.#set({ from: rfc3339(start), to: rfc3339(end), range: null });
  }

  #set(changes) {
    setAddress(changes, true);
    this.#told();
  }

  #told() {
    this.#mark();
    this.#changed();
  }

  #mark() {
    for (const button of document.querySelectorAll("[data-range]")) {
      button.setAttribute("aria-pressed", String(button.dataset.range === this.name));
    }
  }
}

const rfc3339 = (time) => `${time.toISOString().slice(0, 19)}Z`;

/** Wall time of the watched machine, as `datetime-local` writes it. */
function local(time) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(time).replace(" ", "T");
}

/** The instant at which the watched machine's clock shows this wall time. */
function instant(wall) {
  const asUtc = Date.parse(`${wall.length === 16 ? `${wall}:00` : wall}Z`);
  let guess = asUtc;
  for (let round = 0; round < 2; round += 1) guess -= Date.parse(`${local(new Date(guess))}Z`) - asUtc;
  return new Date(guess);
}
