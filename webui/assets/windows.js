// Windows of the past: one row each, summed over the interfaces that the page speaks of.
import { chosen, sumTraffic } from "./live.js";

/** Items of the API (one an interface and window) as one row a window, in their order. */
export function windowRows(items) {
  const byStart = new Map();
  for (const item of items) {
    const parts = byStart.get(item.start);
    if (parts) parts.push(item);
    else byStart.set(item.start, [item]);
  }
  return [...byStart.values()].map((parts) => windowRow(chosen(parts))).filter(Boolean);
}

function windowRow(parts) {
  if (parts.length === 0) return null;
  const [{ start, length_millis: millis }] = parts;
  const sum = (pick) => parts.reduce((all, part) => all + (pick(part) ?? 0), 0);
  return {
    start, seconds: millis / 1000, time: Math.round(Date.parse(start) / 1000),
    ...sumTraffic(parts),
    transport: sumCounts(parts.map((part) => part.transport)),
    application: sumCounts(parts.map((part) => part.application)),
    syn: sum((part) => part.tcp_flags?.syn),
    highest_bits: sum((part) => part.highest_rx_bits_per_second) + sum((part) => part.highest_tx_bits_per_second),
  };
}

/** Sums of {name: {packets, bytes}}. */
export function sumCounts(mixes) {
  const sums = {};
  for (const mix of mixes) {
    for (const [name, { packets, bytes }] of Object.entries(mix ?? {})) {
      sums[name] ??= { packets: 0, bytes: 0 };
      sums[name].packets += packets;
      sums[name].bytes += bytes;
    }
  }
  return sums;
}

/** Of rows in a range: totals, time watched, and the highest rate in bits per second. */
export function summary(rows) {
  const sum = { ...sumTraffic(rows), syn: 0, seconds: 0, peak: 0, peakTime: null };
  for (const row of rows) {
    sum.syn += row.syn;
    sum.seconds += row.seconds;
    const highest = Math.max(row.highest_bits, ((row.rx_bytes + row.tx_bytes) * 8) / row.seconds);
    if (highest > sum.peak) Object.assign(sum, { peak: highest, peakTime: row.time });
  }
  return sum;
}
