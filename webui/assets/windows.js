// Windows of the past: one row each, summed over the interfaces that the page speaks of.
import { chosen, sumTraffic } from "./live.js";

const HIGHEST = ["rx_bytes_per_second", "tx_bytes_per_second", "packets_per_second"];

/** A window as the API gives it, whether its figures stand in it or interface by interface. */
export function windowRow(row) {
  const parts = row.interfaces ? chosen(row.interfaces) : [row];
  if (parts.length === 1) return { ...row, ...parts[0], seconds: row.seconds, time: Math.round(Date.parse(row.start) / 1000) };
  return {
    start: row.start, seconds: row.seconds, time: Math.round(Date.parse(row.start) / 1000),
    ...sumTraffic(parts),
    transport: sumCounts(parts.map((part) => part.transport)),
    application: sumCounts(parts.map((part) => part.application)),
    tcp_flags: { syn: parts.reduce((sum, part) => sum + (part.tcp_flags?.syn ?? 0), 0) },
    highest: Object.fromEntries(HIGHEST.map((name) => [name, parts.reduce((sum, part) => sum + (part.highest?.[name] ?? 0), 0)])),
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

/** Of rows in a range: totals, mean and highest rates. */
export function summary(rows) {
  const sum = { ...sumTraffic(rows), syn: 0, seconds: 0, peak: 0, peakTime: null };
  for (const row of rows) {
    sum.syn += row.tcp_flags?.syn ?? 0;
    sum.seconds += row.seconds;
    const highest = Math.max((row.highest?.rx_bytes_per_second ?? 0) + (row.highest?.tx_bytes_per_second ?? 0), (row.rx_bytes + row.tx_bytes) / row.seconds);
    if (highest > sum.peak) Object.assign(sum, { peak: highest, peakTime: row.time });
  }
  return sum;
}
