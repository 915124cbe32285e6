// The list of owners: each process, or put together by program, unit, container or user.
import { barColumn, bitsColumn, bytesColumn, countColumn, lineColumn, othersRow, textColumn } from "./cells.js";
import { isProcess, ownerColumn, ownerKey, qualityColumn } from "./owner_cells.js";

/** Of now there are the dead too: all of them at once, seldom; the live feed tells the rest. */
const WHOLE = 500;
const AGAIN_MILLIS = 10_000;

const rate = (row) => (row.rx_bits_per_second ?? 0) + (row.tx_bits_per_second ?? 0);
const SUMMED = ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets"];
const sums = (rows) => Object.fromEntries(SUMMED.map((field) => [field, rows.reduce((sum, row) => sum + (row?.[field] ?? 0), 0)]));
const total = (row) => (row.rx_bytes ?? 0) + (row.tx_bytes ?? 0);
const LABELS = { pid: "Process", program: "Program", unit: "Unit", container: "Container", user: "User" };
const place = (row) => [row.container, row.unit].filter(Boolean).join(" · ");

/** `now`: with rates. */
export function ownerList(now, group = "pid", sort = null) {
  let most = 0;
  const drop = now ? 2 : 1;
  return {
    path: "processes", field: "processes", caption: "Processes", parameters: group === "pid" ? {} : { group },
    // now those first that move now
    sort: sort ?? (now ? null : { column: "total", descending: true }),
    ...(now ? { order: (a, b) => rate(b) - rate(a) || total(b) - total(a), sorting: "-rate", whole: WHOLE, again: AGAIN_MILLIS } : {}),
    joined: (others, rows) => ({ ...othersRow({ rows: (others?.rows ?? 0) + rows.length }, sums([others, ...rows])), others: true, pid: null }),
    // what has no owner is grey and last
    shape: (row) => { most = Math.max(most, total(row)); return { ...row, rest: !isProcess(row) }; },
    key: (row) => (row.others ? "others" : ownerKey(row, group)),
    none: "No process moved anything in this range.",
    rest: (others) => othersRow(others, others, { others: true, pid: null }),
    columns: [
      ownerColumn(group, LABELS[group], now),
      ...(group === "pid" ? [{ ...textColumn("pid", "PID", (row) => (row.pid ? String(row.pid) : ""), { drop: 1 }), sort: (row) => row.pid ?? 0, number: true }] : []),
      ...(group === "pid" ? [] : [countColumn("members", "Processes", (row) => (isProcess(row) ? row.members : undefined), { drop: 1 })]),
      ...(group === "user" ? [] : [lineColumn("user", "User", (row) => row.user ?? "", { drop: 1 })]),
      ...(group === "unit" || group === "container" ? [] : [lineColumn("unit", "Unit or container", place, { drop: 2 })]),
      lineColumn("protocols", "Protocols", (row) => (row.protocols ?? []).join(", "), { drop: 2 }),
      qualityColumn({ drop: 1 }),
      ...(now ? [bitsColumn("rate-in", "▼ now", (row) => row.rx_bits_per_second), bitsColumn("rate-out", "▲ now", (row) => row.tx_bits_per_second)] : []),
      bytesColumn("in", "▼ In", (row) => row.rx_bytes, { drop }),
      bytesColumn("out", "▲ Out", (row) => row.tx_bytes, { drop }),
      barColumn("total", "Total", total, () => most),
    ],
  };
}
