// The last five minutes as two charts, second by second.
import { TimeChart, onGrid } from "./chart.js";
import { hook } from "./dom.js";
import { bits, clockTime, packetRate, phrase } from "./format.js";
import { plainTable } from "./tables.js";

const SPAN_SECONDS = 300;

const traffic = new TimeChart(hook("traffic-chart"), {
  series: [{ name: "in", mark: "▼", token: "in" }, { name: "out", mark: "▲", token: "out", mirrored: true }],
  figure: bits,
  floor: 1000,
  sentence: (chart) => `Bits per second of the last five minutes. ${peakWords(chart, 0, "In", bits)} ${peakWords(chart, 1, "Out", bits)}`,
});
const packets = new TimeChart(hook("packets-chart"), {
  series: [{ name: "packets", mark: "", token: "c2" }],
  figure: packetRate,
  floor: 10,
  sentence: (chart) => `Packets per second of the last five minutes. ${peakWords(chart, 0, "They", packetRate)}`,
});
traffic.say("Waiting for the first figures.");
packets.say("Waiting for the first figures.");

function peakWords(chart, series, who, figure) {
  const peak = chart.peak(series);
  return peak ? `${who} reached ${phrase(figure(peak.value))} at ${clockTime(peak.time * 1000)}.` : "";
}

const LATE_SECONDS = 3;

/** The newest second that all interfaces have told of; one that has been silent for longer is not waited for. */
function wholeUntil(ends) {
  const newest = Math.max(...ends);
  return Math.min(...ends.filter((end) => end > newest - LATE_SECONDS));
}

/** Second by second, the sum over the chosen interfaces. */
function summed(feed, interfaces) {
  const sums = new Map();
  for (const { name } of interfaces) {
    for (const second of feed.seconds.get(name) ?? []) {
      const sum = sums.get(second.time) ?? { time: second.time, rx_bytes: 0, tx_bytes: 0, packets: 0 };
      sum.rx_bytes += second.rx_bytes;
      sum.tx_bytes += second.tx_bytes;
      sum.packets += second.rx_packets + second.tx_packets;
      sums.set(second.time, sum);
    }
  }
  const end = wholeUntil(interfaces.map(({ name }) => feed.seconds.get(name)?.at(-1)?.time ?? -Infinity));
  return [...sums.values()].filter((second) => second.time <= end).sort((a, b) => a.time - b.time);
}

let latest = [];

export function showCharts(feed, interfaces) {
  latest = summed(feed, interfaces);
  const end = latest.at(-1)?.time ?? Math.round(Date.parse(feed.state.time) / 1000);
  const range = [end - SPAN_SECONDS + 1, end];
  const [times, [received, sent, number]] = onGrid(latest, 1, [(row) => row.rx_bytes * 8, (row) => row.tx_bytes * 8, (row) => row.packets]);
  traffic.set(times, [received, sent], range);
  packets.set(times, [number], range);
}

/** Ten seconds a row: the figures of the chart for those who do not see it. */
function fillTable(details) {
  const rows = [];
  for (let end = latest.length; end > 0; end -= 10) {
    const part = latest.slice(Math.max(0, end - 10), end);
    const mean = (pick) => part.reduce((sum, row) => sum + pick(row), 0) / part.length;
    rows.push([clockTime(part[0].time * 1000), phrase(bits(mean((row) => row.rx_bytes) * 8)), phrase(bits(mean((row) => row.tx_bytes) * 8)), phrase(packetRate(mean((row) => row.packets)))]);
  }
  plainTable(details.querySelector("table"), ["From", "In", "Out", "Packets"], rows);
}

hook("traffic-table").addEventListener("toggle", ({ target }) => { if (target.open) fillTable(target); });

