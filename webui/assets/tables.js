// Tables whose rows stay in place while their figures change. Rows are sorted again at most every three seconds, and
// never under the pointer or the focus, so that nothing jumps away from a hand that reaches for it.
import { element } from "./dom.js";

const RESORT_MILLIS = 3000;

/**
 * `columns`: [{name, label, number, drop, head, sort(row), draw(cell, row)}]; `drop` 1 leaves on a phone, 2 on a small
 * window too. `key(row)` is what makes a row the same one. `order(a, b)` counts until a column is chosen.
 */
export class Table {
  #columns;
  #key;
  #body;
  #head;

  #rows = new Map();
  #held = false;
  #sortedAt = 0;
  #sort;
  #most;
  #order;

  constructor(table, { columns, key, sort, most = Infinity, caption, order = null, sorted = () => {} }) {

    this.#columns = columns;
    this.#key = key;
    this.#sort = sort ?? null;
    this.#most = most;
    this.#order = order;
    this.#head = element("tr");
    this.#body = element("tbody");
    table.replaceChildren(...(caption ? [element("caption", { class: "visually-hidden" }, caption)] : []), element("thead", {}, this.#head), this.#body);
    for (const column of columns) this.#head.append(this.#header(column, sorted));
    table.addEventListener("pointerenter", () => { this.#held = true; });
    table.addEventListener("pointerleave", () => { this.#held = false; });
    this.#markSort();
  }

  /** {column, descending} or null where rows come in the server's order. */
  get sort() {
    return this.#sort;
  }

  /** New values for the rows; order, arrivals and departures wait until they may move. */
  update(rows) {
    const fresh = new Map(rows.map((row) => [this.#key(row), row]));
    for (const [key, entry] of this.#rows) {
      const row = fresh.get(key);
      if (row) this.#draw(entry, row);
    }
    const focused = this.#body.contains(document.activeElement);
    const due = performance.now() - this.#sortedAt >= RESORT_MILLIS;
    if (this.#rows.size === 0 || (due && !this.#held && !focused)) this.replace(rows);
  }

  /** Rows as they are, at once. */
  replace(rows) {
    this.#sortedAt = performance.now();
    const kept = this.ordered(rows).slice(0, this.#most);
    const before = this.#rows;
    this.#rows = new Map();
    for (const row of kept) {
      const key = this.#key(row);
      const entry = before.get(key) ?? this.#create(row);
      this.#draw(entry, row);
      this.#rows.set(key, entry);
    }
    this.#place([...this.#rows.values()].map((entry) => entry.node));
  }

  /** Adds rows behind the others, as a next page does. */
  append(rows) {
    for (const row of rows) {
      const entry = this.#create(row);
      this.#draw(entry, row);
      this.#rows.set(this.#key(row), entry);
      this.#body.append(entry.node);
    }
  }

  /** A sentence in place of the rows. */
  say(sentence, failed = false) {
    this.#rows.clear();
    this.#body.replaceChildren(element("tr", {}, element("td", { colspan: this.#columns.length, class: failed ? "failed" : "empty", role: "status" }, sentence)));
  }

  get size() {
    return this.#rows.size;
  }

  #place(nodes) {
    let at = this.#body.firstChild;
    for (const node of nodes) {
      if (at === node) at = at.nextSibling;
      else this.#body.insertBefore(node, at);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  #create(row) {
    const cells = this.#columns.map((column) => element(column.head ? "th" : "td", { class: classes(column), scope: column.head ? "row" : null }));
    const node = element("tr", { class: row.rest ? "rest" : null }, ...cells);
    return { node, cells };
  }

  #draw(entry, row) {
    entry.node.classList.toggle("over", Boolean(row.over_threshold));
    for (const [index, column] of this.#columns.entries()) column.draw(entry.cells[index], row);
  }

  /** Rows as they are shown: by the chosen column, else by `order`, else as they came. */
  ordered(rows) {
    const column = this.#sort && this.#columns.find((one) => one.name === this.#sort.column);
    if (!column) return this.#order ? [...rows].sort((a, b) => rank(a) - rank(b) || this.#order(a, b)) : rows;
    const turn = this.#sort.descending ? -1 : 1;
    return [...rows].sort((a, b) => rank(a) - rank(b) || turn * compare(column.sort(a), column.sort(b)));
  }

  #header(column, sorted) {
    if (!column.sort) return element("th", { class: classes(column), scope: "col", "data-column": column.name }, column.label);
    const button = element("button", { type: "button", title: `Sort by ${column.label.toLowerCase()}` }, column.label);
    button.addEventListener("click", () => {
      const again = this.#sort?.column === column.name;
      this.#sort = { column: column.name, descending: again ? !this.#sort.descending : Boolean(column.number) };
      this.#markSort();
      sorted(this.#sort);
    });
    return element("th", { class: classes(column), scope: "col", "data-column": column.name }, button);
  }

  #markSort() {
    for (const head of this.#head.children) {
      if (this.#sort?.column === head.dataset.column) head.setAttribute("aria-sort", this.#sort.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }
}

/** What a list does not name is last, and before it what has no name of its own. */
const rank = (row) => (row.others ? 2 : Number(Boolean(row.rest)));

const classes = (column) => [column.number ? "num" : column.kind ?? "", column.drop ? `drop-${column.drop}` : ""].join(" ").trim() || null;

function compare(a, b) {
  if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b), "en", { numeric: true });
  return a - b;
}

/** A plain table of texts, for what a chart shows. */
export function plainTable(table, heads, rows) {
  table.replaceChildren(
    element("thead", {}, element("tr", {}, ...heads.map((head, index) => element("th", { scope: "col", class: index > 0 ? "num" : null }, head)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text, index) => element("td", { class: index > 0 ? "num" : "time" }, text))))));
}
