// The page's first sentence, computed from the data: the worst thing first, then who makes the traffic.
import { hook, setText } from "./dom.js";
import { moment, percent, phrase } from "./format.js";
import { chosen, chosenInterface, sumTraffic } from "./live.js";
import { isProcess, ownerName } from "./owner_cells.js";
import { loudest } from "./owner_live.js";

/** A share of the traffic. */
const STANDS_OUT = 0.3;

/** Windows: an average of fewer says little. */
const ENOUGH_WINDOWS = 10;

/** The first of these that holds is the verdict: {tone, word, text}. */
const RULES = [offline, away, unknownInterface, notCaptured, degraded, alerted, lossy, quiet];

export function showVerdict(feed) {
  const place = hook("verdict");
  const verdict = RULES.map((rule) => rule(feed)).find(Boolean);
  if (!verdict) return;
  place.className = `verdict ${verdict.tone}`;
  setText(hook("verdict-word", place), verdict.word);
  setText(hook("verdict-text", place), verdict.text);
  const link = hook("verdict-link", place);
  const open = feed.state?.open_alerts ?? 0;
  link.hidden = open === 0;
  setText(link, open === 1 ? "1 open alert" : `${open} open alerts`);
}

function offline({ link }) {
  return link.state === "offline" && { tone: "bad", word: "No connection.", text: `Weir's web service has not answered since ${moment(link.since)}. Trying again.` };
}

function away({ link }) {
  if (link.state !== "down") return null;
  const reason = link.reason ? ` (${link.reason})` : "";
  return { tone: "bad", word: "No live figures.", text: `The collector has been away since ${moment(link.since)}${reason}. History goes on.` };
}

/** A link kept from before, whose interface has another name now or is left out. */
function unknownInterface({ state }) {
  if (!state || !chosenInterface || chosen(state.interfaces).length > 0) return null;
  const names = state.interfaces.map((one) => one.name).join(", ");
  return { tone: "warn", word: `${chosenInterface} is not captured.`, text: names ? `Captured: ${names}.` : "No interface is." };
}

function notCaptured({ state }) {
  const failed = state ? chosen(state.interfaces).filter((one) => one.state !== "up") : [];
  if (failed.length === 0) return null;
  const [{ name, state: how, reason }] = failed;
  const more = failed.length > 1 ? ` and ${failed.length - 1} more` : "";
  return { tone: "warn", word: "Not all is captured.", text: `${name}${more} is ${how === "gone" ? "gone" : "in error"}${reason ? `: ${reason}` : "."}` };
}

function degraded({ degraded: parts }) {
  const [first] = parts;
  return first && { tone: "warn", word: "Degraded.", text: `${first.part}: ${first.reason}` };
}

function alerted({ state }) {
  if (!state?.open_alerts) return null;
  return { tone: "warn", word: state.open_alerts === 1 ? "One alert is open." : `${state.open_alerts} alerts are open.`, text: talkers(state) };
}

function lossy({ state }) {
  if (!state) return null;
  const parts = chosen(state.interfaces);
  const dropped = parts.reduce((sum, one) => sum + one.dropped_packets, 0);
  if (dropped === 0) return null;
  const seen = sumTraffic(parts.map((one) => one.captured));
  const share = percent(dropped / (dropped + seen.rx_packets + seen.tx_packets));
  return { tone: "warn", word: "Not every packet was seen.", text: `${dropped.toLocaleString("en")} packets (${phrase(share)}) were lost since the collector started. ${talkers(state)}` };
}

function quiet({ state }) {
  return state && { tone: "ok", word: "All quiet.", text: talkers(state) };
}

/** Who makes the traffic, if one process or else one host stands out, and how it compares with the average. */
function talkers(state) {
  const parts = chosen(state.interfaces);
  const rows = parts.flatMap((one) => one.hosts?.rows ?? []);
  const rate = (row) => (row.rx_bits_per_second ?? 0) + (row.tx_bits_per_second ?? 0);
  const now = sumTraffic(parts.map((one) => one.second));
  const average = sumTraffic(parts.map((one) => one.average));
  const bits = (now.rx_bytes + now.tx_bytes) * 8;
  const usual = (average.rx_bytes + average.tx_bytes) * 8;
  if (bits < 1000) return "Next to nothing moves at the moment.";
  const sum = rows.reduce((all, row) => all + rate(row), 0);
  const top = rows.reduce((best, row) => (best && rate(best) >= rate(row) ? best : row), null);
  const isUsual = parts.every((one) => one.average_windows >= ENOUGH_WINDOWS);
  const times = isUsual && usual > 0 ? bits / usual : 1;
  const level = times >= 2 ? ` Traffic is ${times.toFixed(times >= 10 ? 0 : 1)} times its average.` : "";
  const owner = loudest(state);
  if (owner && owner.share >= STANDS_OUT && isProcess(owner.row)) return `${ownerName(owner.row)} makes ${phrase(percent(owner.share))} of the traffic.${level}`;
  if (!top || sum === 0 || rate(top) / sum < STANDS_OUT) return `No single host stands out.${level}`;
  return `${top.name || top.address} makes ${phrase(percent(rate(top) / sum))} of the traffic.${level}`;
}
