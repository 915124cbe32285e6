// Columns that several tables have.
import { bar, element, setBar, setText } from "./dom.js";
import { bits, bytes, count, exactTime, moment, show } from "./format.js";
import { chosenInterface } from "./live.js";

/** Name above, address below; the address alone where no name was seen. It leads to what history has of the address. */
export function hostCell(cell, { name, address, note, rest, plain }) {
  if (!cell.firstChild) cell.append(element(rest || plain ? "span" : "a"), element("small"));
  setText(cell.firstChild, name || address);
  if (cell.firstChild.localName === "a" && cell.title !== address) {
    cell.title = address;
    cell.firstChild.href = pastOf(address);
  }
  setText(cell.lastChild, name ? address : note ?? "");
}

function pastOf(address) {
  const query = new URLSearchParams({ q: address, list: "flows" });
  if (chosenInterface) query.set("interface", chosenInterface);
  return `/history?${query}`;
}

export const hostColumn = (label = "Host") => ({
  name: "host", label, head: true, sort: (row) => row.name || row.address, draw: (cell, row) => hostCell(cell, row),
});

export function figureColumn(name, label, figure, value, more = {}) {
  return {
    name, label, number: true, sort: (row) => value(row) ?? -1, ...more,
    // what the others together do not have stays empty
    draw: (cell, row) => (value(row) === undefined ? setText(cell, "") : show(cell, figure(value(row)))),
  };
}

export const bitsColumn = (name, label, value, more) => figureColumn(name, label, bits, value, more);
export const bytesColumn = (name, label, value, more) => figureColumn(name, label, bytes, value, more);
export const countColumn = (name, label, value, more) => figureColumn(name, label, (number) => count(number), value, more);

/** Bytes with a bar of their share of the largest row, which `largest()` knows. */
export function barColumn(name, label, value, largest, more = {}) {
  return {
    name, label, number: true, sort: value, ...more,
    draw: (cell, row) => {
      if (!cell.firstChild) cell.append(element("span"), bar());
      show(cell.firstChild, bytes(value(row)));
      setBar(cell.lastChild, largest() > 0 ? value(row) / largest() : 0);
    },
  };
}

export function textColumn(name, label, text, more = {}) {
  return { name, label, kind: "text", sort: text, draw: (cell, row) => setText(cell, text(row)), ...more };
}

/** Text in one line, whole as its title. */
export function lineColumn(name, label, text, more = {}) {
  return {
    name, label, kind: "text line", sort: text, ...more,
    draw: (cell, row) => {
      setText(cell, text(row));
      cell.title = text(row);
    },
  };
}

export function timeColumn(name, label, time, more = {}) {
  return {
    name, label, kind: "time", sort: (row) => Date.parse(time(row)), ...more,
    draw: (cell, row) => {
      setText(cell, moment(time(row)));
      cell.title = `${time(row)} (${exactTime(time(row))})`;
    },
  };
}

/** What a list does not name, as its last row: it is always there, so that the column sums to its total. */
export function othersRow(others, rows, more = {}) {
  const number = others?.rows ?? 0;
  const name = number > 0 ? `${number.toLocaleString("en")} ${number === 1 ? "other" : "others"}` : "others";
  return { rest: true, address: "", name, ...rows, ...more };
}
