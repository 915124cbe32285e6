// What the lists of hosts, flows, addresses, windows and days show.
import { barColumn, bitsColumn, bytesColumn, countColumn, hostColumn, othersRow, textColumn, timeColumn } from "./cells.js";
import { element, setText } from "./dom.js";
import { duration, show, span } from "./format.js";
import { chosenInterface } from "./live.js";
import { ownersCell, ownersOf } from "./owner_cells.js";

const total = (row) => (row.rx_bytes ?? 0) + (row.tx_bytes ?? 0);
const packets = (row) => (row.rx_packets ?? 0) + (row.tx_packets ?? 0);
const byTotal = { column: "total", descending: true };

/** The largest total so far drawn, for the bars. */
function scale() {
  let most = 0;
  return { shape: (row) => { most = Math.max(most, total(row)); return row; }, most: () => most };
}

export function hostList(now) {
  const largest = scale();
  return {
    path: "hosts", field: "hosts", caption: "Hosts", sort: byTotal, shape: largest.shape,
    key: (row) => (row.rest ? "others" : `${row.interface ?? ""} ${row.address}`),
    none: "No other host was seen in this range.",
    rest: (others) => othersRow(others, others),
    columns: [
      hostColumn(),
      ...interfaceColumn(),
      textColumn("protocols", "Protocols", (row) => (row.protocols ?? []).join(", "), { drop: 1 }),
      ...(now ? [bitsColumn("rate-in", "▼ now", (row) => row.rx_bits_per_second), bitsColumn("rate-out", "▲ now", (row) => row.tx_bits_per_second)] : []),
      bytesColumn("in", "▼ In", (row) => row.rx_bytes, { drop: now ? 2 : 1 }),
      bytesColumn("out", "▲ Out", (row) => row.tx_bytes, { drop: now ? 2 : 1 }),
      countColumn("packets", "Packets", packets, { drop: 2 }),
      seenColumn("last", "Last seen", (row) => row.last_seen, { drop: 1 }),
      barColumn("total", "Total", total, largest.most),
    ],
  };
}

/** Said only where it is not clear anyway. */
const severalInterfaces = !chosenInterface && document.body.dataset.several === "true";
const interfaceColumn = () => (severalInterfaces ? [textColumn("interface", "Interface", (row) => row.interface ?? "", { drop: 2 })] : []);

const seenColumn = (name, label, time, more) => {
  const column = timeColumn(name, label, time, more);
  return { ...column, sort: (row) => Date.parse(time(row)) || 0, draw: (cell, row) => { if (time(row)) column.draw(cell, row); } };
};

const ARROWS = { ingress: "▼", egress: "▲", local: "↺", forwarded: "⇄" };

function peersCell(cell, row) {
  if (!cell.firstChild) cell.append(element("span"), element("small"));
  setText(cell.firstChild, row.rest ? row.name : row.name || String(row.responder));
  const where = severalInterfaces && row.interface ? ` · ${row.interface}` : "";
  setText(cell.lastChild, row.rest ? "" : `${row.initiator} → ${row.responder}${where}`);
}

export function flowList(now) {
  const largest = scale();
  return {
    path: "flows", field: "flows", caption: "Flows", sort: byTotal, shape: largest.shape,
    key: (row) => (row.rest ? "others" : `${row.interface} ${row.protocol} ${row.initiator} ${row.responder} ${row.first_seen}`),
    none: "No flow was seen in this range.",
    rest: (others) => othersRow(others, others, { protocol: "", direction: "" }),
    columns: [
      { name: "peers", label: "Peers", head: true, sort: (row) => row.name || String(row.responder), draw: peersCell },
      textColumn("protocol", "Protocol", (row) => [row.protocol, row.application].filter((word, at, all) => word && all.indexOf(word) === at).join(" · "), { kind: "word", drop: 1 }),
      { name: "process", label: "Process", kind: "text", drop: 1, sort: (row) => ownersOf(row), draw: ownersCell },
      textColumn("direction", "", (row) => ARROWS[row.direction] ?? "", { drop: 2, sort: undefined }),
      textColumn("state", "State", (row) => row.state ?? "", { kind: "word", drop: 2 }),
      ...(now ? [bitsColumn("rate-in", "▼ now", (row) => row.rx_bits_per_second), bitsColumn("rate-out", "▲ now", (row) => row.tx_bits_per_second, { drop: 1 })] : []),
      roundTripColumn(),
      countColumn("retransmitted", "Resent", (row) => row.retransmitted_segments, { drop: 2 }),
      seenColumn("first", "Began", (row) => row.first_seen, { drop: 2 }),
      bytesColumn("in", "▼ In", (row) => row.rx_bytes, { drop: 1 }),
      bytesColumn("out", "▲ Out", (row) => row.tx_bytes, { drop: 1 }),
      barColumn("total", "Total", total, largest.most),
    ],
  };
}

function roundTripColumn() {
  return {
    name: "round-trip", label: "Round trip", number: true, drop: 2, sort: (row) => row.round_trip_micros ?? -1,
    draw: (cell, row) => show(cell, row.round_trip_micros ? duration(row.round_trip_micros) : { text: "", unit: "" }),
  };
}

/** Sources or destinations, a row an address and interface. */
export function addressList(role) {
  let most = 0;
  return {
    path: "hosts", name: `${role}s`, field: "hosts", parameters: { role }, caption: `${role}s with their times`,
    shape: (row) => { most = Math.max(most, row.bytes); return row; },
    key: (row) => (row.rest ? "others" : `${row.interface} ${row.address}`),
    sort: byTotal, rest: (others) => othersRow(others, others),
    none: `No ${role} was seen in this range.`,
    columns: [
      hostColumn(role === "source" ? "Source" : "Destination"),
      seenColumn("first", "First seen", (row) => row.first_seen, { drop: 1 }),
      seenColumn("last", "Last seen", (row) => row.last_seen),
      ...interfaceColumn(),
      countColumn("packets", "Packets", (row) => row.packets, { drop: 1 }),
      barColumn("total", "Bytes", (row) => row.bytes, () => most),
    ],
  };
}

const transport = (row, ...kinds) => kinds.reduce((sum, kind) => sum + (row.transport?.[kind]?.packets ?? 0), 0);

/** A row a window; `gather` makes them of the items of several interfaces. */
export function windowList(gather, step) {
  const largest = scale();
  return {
    path: "windows", field: "windows", parameters: { step, sum: true }, coarser: step === "auto" ? null : { step: "auto", sum: true }, caption: "Windows, newest first",
    gather, shape: largest.shape,
    key: (row) => row.start,
    none: "Nothing is stored for this range.",
    columns: [
      { ...seenColumn("time", "Time", (row) => row.start), head: true },
      textColumn("length", "Length", (row) => span(row.seconds), { drop: 2, sort: (row) => row.seconds }),
      countColumn("tcp", "TCP", (row) => transport(row, "tcp")),
      countColumn("udp", "UDP", (row) => transport(row, "udp")),
      countColumn("icmp", "ICMP", (row) => transport(row, "icmp", "icmpv6"), { drop: 1 }),
      countColumn("syn", "SYN", (row) => row.syn),
      countColumn("packets", "Packets", packets, { drop: 1 }),
      bytesColumn("in", "▼ In", (row) => row.rx_bytes, { drop: 2 }),
      bytesColumn("out", "▲ Out", (row) => row.tx_bytes, { drop: 2 }),
      barColumn("total", "Total", total, largest.most),
    ],
  };
}

export function dayList() {
  const largest = scale();
  return {
    path: "days", field: "days", caption: "Days, as the kernel counts", shape: largest.shape,
    key: (row) => `${row.date} ${row.interface}`,
    none: "No day is stored in this range.",
    columns: [
      { ...textColumn("date", "Day", (row) => row.date), head: true },
      textColumn("interface", "Interface", (row) => (row.in_totals === false ? `${row.interface}, not in totals` : row.interface), {}),
      countColumn("packets", "Packets", packets, { drop: 1 }),
      bytesColumn("in", "▼ In", (row) => row.rx_bytes),
      bytesColumn("out", "▲ Out", (row) => row.tx_bytes),
      barColumn("total", "Total", total, largest.most, { drop: 1 }),
    ],
  };
}
