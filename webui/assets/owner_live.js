// What a live frame says of owners, laid over rows that the API gave a moment before.
import { chosenInterface } from "./live.js";
import { ownerKey } from "./owner_cells.js";

const RATES = ["rx_bits_per_second", "tx_bits_per_second", "rx_packets_per_second", "tx_packets_per_second"];
const TOTALS = ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets"];

/** Owners of the chosen interface, else of all: {rows, others}. */
export function liveOwners(state) {
  if (!chosenInterface) return state.owners ?? { rows: [] };
  return state.interfaces.find((one) => one.name === chosenInterface)?.owners ?? { rows: [] };
}

/** Returns row → row with the newest rates, and of single processes the newest totals and whether they have ended. */
export function overlay(state, group) {
  const { rows } = liveOwners(state);
  // the list begins with those that move now: who is not on it does not move, if all of these are
  const whole = !chosenInterface && rows.length >= (state.active_owners ?? Infinity);
  const sums = new Map();
  for (const row of rows) {
    const key = ownerKey(row, group);
    const sum = sums.get(key) ?? { over_threshold: false };
    for (const field of [...RATES, ...(group === "pid" ? TOTALS : [])]) sum[field] = (sum[field] ?? 0) + (row[field] ?? 0);
    sum.over_threshold ||= row.over_threshold;
    if (group === "pid") sum.alive = row.alive;
    sums.set(key, sum);
  }
  const still = Object.fromEntries(RATES.map((field) => [field, 0]));
  return (row) => {
    const news = sums.get(ownerKey(row, group));
    if (news) return { ...row, ...news };
    return whole ? { ...row, ...still, over_threshold: false } : row;
  };
}

/** Who moves most at the moment, in a sentence's parts: {row, share} or null. */
export function loudest(state) {
  const rate = (row) => (row.rx_bits_per_second ?? 0) + (row.tx_bits_per_second ?? 0);
  const { rows } = liveOwners(state);
  const sum = rows.reduce((all, row) => all + rate(row), 0);
  const row = rows.reduce((best, one) => (best && rate(best) >= rate(one) ? best : one), null);
  return row && sum >= 1000 ? { row, share: rate(row) / sum } : null;
}
