// One owner, or one group of them: what is known of it, its history, its peers and protocols.
import { Latest } from "./api.js";
import { barColumn, bytesColumn, hostColumn, textColumn } from "./cells.js";
import { TimeChart, onGrid } from "./chart.js";
import { element, hook, setText } from "./dom.js";
import { bits, bytes, moment, phrase, show, span } from "./format.js";
import { isProcess, ownerName } from "./owner_cells.js";
import { parameter, setAddress } from "./range.js";
import { showProtocols } from "./shares.js";
import { Table } from "./tables.js";

const FIELDS = ["name", "pid", "started", "user", "unit", "container"];
const AGAIN_MILLIS = 10_000;
const MOST_FLOWS = 1000;
const MOST_PEERS = 12;
const MOST_STEPS = 2000;
const HOUR_MILLIS = 3_600_000;

const total = (row) => (row.rx_bytes ?? 0) + (row.tx_bytes ?? 0);

export class OwnerDetail {
  #range;
  #latest = { owner: new Latest(), flows: new Latest(), series: new Latest() };
  #timer = 0;
  #largest = 0;
  #chart = null;
  #peers = null;

  constructor(range) {
    this.#range = range;
    hook("detail-close").addEventListener("click", () => this.close());
  }

  /** Which owner the address names; null for none. */
  get #chosen() {
    const chosen = Object.fromEntries(FIELDS.map((name) => [name, parameter(name)]).filter(([, value]) => value));
    return Object.keys(chosen).length > 0 ? chosen : null;
  }

  /** `parameters` of the address that the row's link has. */
  open(parameters) {
    setAddress(Object.fromEntries(FIELDS.map((name) => [name, parameters.get(name)])), true);
    this.load();
    const place = hook("detail");
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
  }

  close() {
    setAddress(Object.fromEntries(FIELDS.map((name) => [name, null])), true);
    this.load();
  }

  async load() {
    clearTimeout(this.#timer);
    const chosen = this.#chosen;
    hook("detail").hidden = !chosen;
    if (!chosen) return;
    this.#prepare();
    const now = this.#range.name === "now";
    await Promise.all([this.#owner(chosen), this.#flows(chosen), this.#history(chosen, now)]);
    if (now && this.#chosen) this.#timer = setTimeout(() => this.load(), AGAIN_MILLIS);
  }

  /** Chart and table need their place on the page: made once it is shown. */
  #prepare() {
    this.#chart ??= new TimeChart(hook("detail-chart"), {
      series: [{ name: "in", mark: "▼", token: "in" }, { name: "out", mark: "▲", token: "out", mirrored: true }],
      figure: bits, floor: 1000, zoomed: (from, to) => this.#range.zoom(from, to),
      sentence: (chart) => {
        const peak = chart.peak(0);
        return peak ? `Bits per second of this owner. It received at most ${phrase(bits(peak.value))}, at ${moment(peak.time * 1000)}.` : "Nothing in this range.";
      },
    });
    this.#peers ??= new Table(hook("detail-peers"), {
      caption: "Peers", key: (row) => (row.rest ? "others" : `${row.address} ${row.protocol}`),
      columns: [
        hostColumn("Peer"),
        textColumn("protocol", "Protocol", (row) => row.protocol ?? "", { drop: 1 }),
        bytesColumn("in", "▼ In", (row) => row.rx_bytes, { drop: 1 }),
        bytesColumn("out", "▲ Out", (row) => row.tx_bytes, { drop: 1 }),
        barColumn("total", "Total", total, () => this.#largest),
      ].map(({ sort, ...column }) => column),
    });
  }

  async #owner(chosen) {
    const group = ["unit", "container", "user"].find((name) => chosen[name]) ?? (Number(chosen.pid) > 0 ? "pid" : "program");
    try {
      const answer = await this.#latest.owner.ask("processes", { ...this.#range.span, ...chosen, group, limit: 1 });
      if (answer === null) return;
      const [row] = answer.processes;
      setText(hook("detail-name"), row ? title(row, group) : Object.values(chosen).join(" "));
      show(hook("detail-in"), bytes(row?.rx_bytes));
      show(hook("detail-out"), bytes(row?.tx_bytes));
      const known = row ? facts(row) : [["Range", "It moved nothing in this range that a list names."]];
      hook("detail-facts").replaceChildren(...known.map(([label, text]) => element("div", {}, element("dt", {}, label), element("dd", {}, text))));
    } catch (error) {
      setText(hook("detail-name"), error.message);
    }
  }

  async #flows(chosen) {
    try {
      const answer = await this.#latest.flows.ask("flows", { ...this.#range.span, ...chosen, limit: MOST_FLOWS });
      if (answer === null) return;
      const peers = byPeer(answer.flows, chosen);
      this.#largest = Math.max(1, ...peers.map(total));
      if (peers.length === 0) this.#peers.say("No flow of it is on a list.");
      else this.#peers.replace(peers);
      showProtocols(hook("detail-protocols"), [{ application: byProtocol(answer.flows) }], "No flow of it is on a list.");
    } catch (error) {
      this.#peers.say(error.message, true);
    }
  }

  async #history(chosen, now) {
    const to = new Date();
    const asked = now ? { from: new Date(to - HOUR_MILLIS).toISOString(), to: to.toISOString() } : this.#range.span;
    setText(hook("detail-span"), now ? "Last hour" : `${moment(asked.from)} to ${moment(asked.to)}`);
    try {
      const answer = await this.#latest.series.ask("processes/series", { ...asked, ...chosen });
      if (answer === null) return;
      const step = answer.step_seconds;
      const rows = filled(answer.series.map((row) => ({ ...row, time: Math.round(Date.parse(row.start) / 1000) })), step);
      const [times, [received, sent]] = onGrid(rows, step, [(row) => row.rx_bits_per_second, (row) => row.tx_bits_per_second]);
      const begin = Math.max(Date.parse(asked.from), Date.parse(answer.from)) / 1000;
      this.#chart.set(times, [received, sent], [begin, Math.max(begin + step, Date.parse(asked.to) / 1000)]);
      if (rows.length === 0) this.#chart.say("The history names it in no span of this range.");
      else setText(hook("detail-span"), `${hook("detail-span").textContent}, a point is ${span(step)}`);
    } catch (error) {
      this.#chart.say(error.message);
    }
  }
}

function title(row, group) {
  const name = ownerName(row, group);
  return row.pid ? `${name}, pid ${row.pid}` : name;
}

function facts(row) {
  const parents = (row.parents ?? []).map(({ name, pid }) => `${name} ${pid}`).join(" < ");
  const known = [
    ["Processes", row.members > 1 ? String(row.members) : ""],
    ["Command line", row.command_line], ["Executable", row.executable], ["User", row.user], ["Unit", row.unit],
    ["Container", row.container], ["Started by", parents], ["Started", row.started ? moment(row.started) : ""],
    ["Match", row.reason?.startsWith(row.quality) ? row.reason : [row.quality, row.reason].filter(Boolean).join(": ")],
    ["Protocols", (row.protocols ?? []).join(", ")],
    ["Payload", isProcess(row) ? `▼ ${phrase(bytes(row.rx_payload_bytes))}  ▲ ${phrase(bytes(row.tx_payload_bytes))}` : ""],
    ["Seen", `${moment(row.first_seen)} to ${moment(row.last_seen)}`],
  ];
  return known.filter(([, text]) => text);
}

const isEnd = (owner, chosen) => Boolean(owner) && (!chosen.name || owner.name === chosen.name) && (!chosen.pid || String(owner.pid ?? 0) === chosen.pid);

/** The other ends of its flows, by address and application; the smaller ones together. */
function byPeer(flows, chosen) {
  const peers = new Map();
  for (const flow of flows) {
    const other = isEnd(flow.initiator_owner, chosen) ? flow.responder : flow.initiator;
    const address = addressOf(String(other));
    const protocol = flow.application || flow.protocol;
    const key = `${address} ${protocol}`;
    const peer = peers.get(key) ?? { address, name: flow.name, protocol, rx_bytes: 0, tx_bytes: 0 };
    peer.rx_bytes += flow.rx_bytes;
    peer.tx_bytes += flow.tx_bytes;
    peers.set(key, peer);
  }
  const sorted = [...peers.values()].sort((a, b) => total(b) - total(a));
  const rest = sorted.slice(MOST_PEERS);
  if (rest.length === 0) return sorted;
  const sum = (field) => rest.reduce((all, row) => all + row[field], 0);
  return [...sorted.slice(0, MOST_PEERS), { rest: true, address: "", name: `${rest.length} others`, rx_bytes: sum("rx_bytes"), tx_bytes: sum("tx_bytes") }];
}

/** "192.0.2.1:443" and "[2001:db8::1]:443" without their ports. */
const addressOf = (endpoint) => endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");

function byProtocol(flows) {
  const sums = {};
  for (const flow of flows) {
    const name = flow.application || flow.protocol;
    sums[name] ??= { packets: 0, bytes: 0 };
    sums[name].packets += flow.rx_packets + flow.tx_packets;
    sums[name].bytes += total(flow);
  }
  return sums;
}

/** Steps in which it is on no list count as nothing. */
function filled(rows, step) {
  const whole = [];
  const still = (time) => ({ time, rx_bits_per_second: 0, tx_bits_per_second: 0 });
  for (const row of rows) {
    while (whole.length > 0 && whole.length < MOST_STEPS && row.time - whole.at(-1).time > step * 1.5) whole.push(still(whole.at(-1).time + step));
    whole.push(row);
  }
  return whole;
}
