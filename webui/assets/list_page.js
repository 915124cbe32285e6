// A list with search, sort, range, pages and export links: hosts, flows, and the lists of history.
import { Latest, address, debounced } from "./api.js";
import { hook, setText } from "./dom.js";
import { moment } from "./format.js";
import { live } from "./live.js";
import { parameter, setAddress } from "./range.js";
import { Table } from "./tables.js";

const PAGE_ROWS = 100;
const POLL_MILLIS = 3000;

/** Column by which a table is sorted → what the API calls it; others have the same name in both. */
const API_SORT = {
  packets: "all_packets", in: "rx_bytes", out: "tx_bytes", "rate-in": "rx_bits_per_second", "rate-out": "tx_bits_per_second",
  first: "first_seen", last: "last_seen", time: "start", length: "length_millis", "round-trip": "round_trip_micros",
  retransmitted: "retransmitted_segments",
};

/** As the live feed knows; before its first word, as the page was served. */
function collectorAway() {
  const { state } = live.link;
  return state === "connecting" ? document.body.dataset.collector === "down" : state === "down";
}

/**
 * `list`: {path, field, columns, key, sort, caption, parameters, coarser, gather(items), shape(row), none}; `range` gives the span. Rows of
 * `now` come again every three seconds, or after `again`. A list with `whole` comes with up to so many rows at once, of
 * which a page is shown; `joined(others, rows)` is then the last row.
 */
export class ListPage {
  #list;
  #range;
  #table = null;
  #latest = new Latest();
  #cursor = null;
  #rows = [];
  #others = null;
  #timer = 0;
  /** Of a list that comes whole, how many rows are shown. */
  #most = PAGE_ROWS;
  /** What the rows on screen answer: pages after the first and files ask the same again. */
  #asked = {};

  constructor(range) {
    this.#range = range;
    const search = hook("search");
    search.value = parameter("q");
    const changed = debounced(() => {
      setAddress({ q: search.value.trim() });
      this.searched();
      this.load();
    });
    search.addEventListener("input", changed);
    hook("more").addEventListener("click", () => this.#next());
  }

  /** Called when the search has changed, before the list is read again. */
  searched = () => {};
  /** Called with {column, descending} when another order was chosen. */
  sorted = () => {};

  get search() {
    return hook("search").value.trim();
  }

  /** Another list in the same place. */
  show(list) {
    this.#list = list;
    this.#rows = [];
    this.#others = null;
    this.#cursor = null;
    this.#most = PAGE_ROWS;
    this.#table = new Table(hook("rows"), { ...list, sorted: (sort) => this.#sorted(sort) });
    this.#table.say("Reading.");
    this.load();
  }

  /** Newer figures for rows that are there: `change` gives the row to show instead. `fresh` are rows that may be new. */
  refresh(change, fresh = []) {
    if (this.#rows.length === 0) return;
    const { key, shape = (row) => row } = this.#list;
    const known = new Set(this.#rows.map(key));
    const added = this.search ? [] : fresh.filter((row) => !known.has(key(row))).map(shape);
    this.#rows = [...this.#rows.map(change), ...added];
    this.#table.update(this.#all());
    this.#count();
  }

  #sorted(sort) {
    this.sorted(sort);
    if (this.#rows.length > 0) this.#table.replace(this.#all());
    this.#links();
  }

  async load() {
    clearTimeout(this.#timer);
    const list = this.#list;
    if (this.#range.name === "now" && collectorAway()) {
      this.#table.say("The collector is away. What it counts now comes when it is back; the past is under Hour, Day and so on.");
      this.#timer = setTimeout(() => this.load(), POLL_MILLIS);
      return;
    }
    try {
      const asked = this.#parameters();
      const answer = await this.#latest.ask(list.path, { ...asked, limit: list.whole ?? PAGE_ROWS });
      if (answer === null || list !== this.#list) return;
      this.#asked = asked;
      // older than what is kept this finely, or nothing at all: once more, coarser
      if (list.coarser && answer[list.field]?.length === 0) {
        this.#list = { ...list, parameters: list.coarser, coarser: null };
        return this.load();
      }
      this.#take(answer, this.#range.name === "now");
    } catch (error) {
      this.#table.say(error.message, true);
      setText(hook("shown"), "");
    }
    this.#links();
    if (this.#range.name === "now") this.#timer = setTimeout(() => (document.hidden ? this.#wait() : this.load()), list.again ?? POLL_MILLIS);
  }

  /** A hidden page asks for nothing. */
  #wait() {
    document.addEventListener("visibilitychange", () => this.load(), { once: true });
  }

  #parameters() {
    return { ...this.#range.span, q: this.search, ...this.#list.parameters };
  }

  #take(answer, again) {
    this.#rows = this.#gathered(answer);
    this.#others = this.#list.rest && answer.others && !this.search ? this.#list.rest(answer.others) : null;
    this.#cursor = answer.next_cursor ?? null;
    if (this.#rows.length === 0) this.#table.say(this.search ? `Nothing in this range has “${this.search}” in it.` : this.#list.none);
    else if (again) this.#table.update(this.#all());
    else this.#table.replace(this.#all());
    this.#count();
  }

  #gathered(answer) {
    const { field, gather = (items) => items, shape = (row) => row } = this.#list;
    return gather(answer[field] ?? []).map(shape);
  }

  #all() {
    const cut = this.#cut();
    if (cut.length > 0) {
      const left = new Set(cut);
      return [...this.#rows.filter((row) => !left.has(row)), this.#list.joined(this.#others, cut)];
    }
    return this.#others && !this.#cursor ? [...this.#rows, this.#others] : this.#rows;
  }

  /** What of a list that came whole is not shown yet; what has no name of its own always is. */
  #cut() {
    if (!this.#list.whole || this.#rows.length <= this.#most) return [];
    return this.#table.ordered(this.#rows.filter((row) => !row.rest)).slice(this.#most);
  }

  async #next() {
    if (this.#list.whole) {
      this.#most += PAGE_ROWS;
      this.#table.replace(this.#all());
      this.#count();
      return this.#links();
    }
    const button = hook("more");
    button.disabled = true;
    try {
      const answer = await this.#latest.ask(this.#list.path, { ...this.#asked, limit: PAGE_ROWS, cursor: this.#cursor });
      if (answer === null) return;
      const rows = this.#gathered(answer);
      this.#rows.push(...rows);
      this.#cursor = answer.next_cursor ?? null;
      if (this.#table.sort) this.#table.replace(this.#all());
      else this.#table.append(rows);
      this.#count();
      this.#links();
    } catch (error) {
      setText(hook("shown"), error.message);
    } finally {
      button.disabled = false;
    }
  }

  #count() {
    const cut = this.#cut().length;
    const number = this.#rows.length - cut;
    hook("more").hidden = !this.#cursor && cut === 0;
    setText(hook("shown"), number === 0 ? "" : `${number.toLocaleString("en")} ${number === 1 ? "row" : "rows"}${this.#cursor || cut > 0 ? " shown, there are more" : ""}`);
    const { from, to } = this.#range.span;
    setText(hook("span"), from && Date.parse(from) > 0 ? `${moment(from)} to ${moment(to)}` : this.#range.name === "now" ? "counted since the collector started" : "all that is kept");
  }

  /** What is on screen, as files: the same question with as many rows, in the same order. */
  #links() {
    const sort = this.#table.sort;
    const order = sort ? `${sort.descending ? "-" : ""}${API_SORT[sort.column] ?? sort.column}` : this.#list.sorting ?? "";
    for (const link of document.querySelectorAll("[data-export]")) {
      const format = link.dataset.export;
      link.href = address(this.#list.path, { ...this.#asked, limit: Math.max(1, this.#rows.length - this.#cut().length), sort: order, format });
      link.download = `weir-${this.#list.name ?? this.#list.path}.${format}`;
    }
  }
}
