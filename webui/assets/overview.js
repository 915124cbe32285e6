// The page "Now": what each card shows of a live frame.
import { ask } from "./api.js";
import { hook, setText } from "./dom.js";
import { bitRate, byteRate, bytes, clockTime, count, packetRate, phrase, show } from "./format.js";
import { chosen, live, sumTraffic } from "./live.js";
import { showAlerts } from "./alert_list.js";
import { showCharts } from "./overview_charts.js";
import { showLedger, showProtocols } from "./shares.js";
import { showHosts, showInterfaces, showProcesses, showRankings } from "./overview_tables.js";
import { showVerdict } from "./verdict.js";

const RATES = {
  "bytes-in": [(sum) => sum.rx_bytes, bitRate],
  "bytes-out": [(sum) => sum.tx_bytes, bitRate],
  bytes: [(sum) => sum.rx_bytes + sum.tx_bytes, byteRate],
  "packets-in": [(sum) => sum.rx_packets, packetRate],
  "packets-out": [(sum) => sum.tx_packets, packetRate],
  packets: [(sum) => sum.rx_packets + sum.tx_packets, packetRate],
};

function showRates(interfaces) {
  const now = sumTraffic(interfaces.map((one) => one.second));
  const average = sumTraffic(interfaces.map((one) => one.average));
  show(hook("now-in"), bitRate(now.rx_bytes));
  show(hook("now-out"), bitRate(now.tx_bytes));
  show(hook("now-packets"), packetRate(now.rx_packets + now.tx_packets));
  for (const [name, [pick, figure]] of Object.entries(RATES)) {
    show(hook(`rate="${name}"`), figure(pick(now)));
    show(hook(`average="${name}"`), figure(pick(average)));
  }
}

function showTotals(interfaces) {
  for (const name of ["today", "month"]) {
    const total = sumTraffic(interfaces.map((one) => one[name]));
    const node = hook(name);
    show(node, bytes(total.rx_bytes + total.tx_bytes));
    node.title = `▼ ${phrase(bytes(total.rx_bytes))}  ▲ ${phrase(bytes(total.tx_bytes))}, as the kernel counts`;
  }
}

const add = (parts, kinds) => parts.reduce((sum, part) => {
  for (const kind of kinds) {
    sum.packets += part?.[kind]?.packets ?? 0;
    sum.bytes += part?.[kind]?.bytes ?? 0;
  }
  return sum;
}, { packets: 0, bytes: 0 });

function showWindow(last) {
  if (!last) return setText(hook("window-span"), "the first one closes soon");
  const parts = chosen(last.interfaces);
  setText(hook("window-span"), `${last.seconds} s from ${clockTime(last.start)}`);
  const transports = parts.map((one) => one.transport);
  const rows = { tcp: add(transports, ["tcp"]), udp: add(transports, ["udp"]), icmp: add(transports, ["icmp", "icmpv6"]) };
  for (const [name, row] of Object.entries(rows)) {
    show(hook(`window-packets="${name}"`), count(row.packets));
    show(hook(`window-bytes="${name}"`), bytes(row.bytes));
  }
  show(hook('window-packets="syn"'), count(parts.reduce((sum, one) => sum + (one.tcp_flags?.syn ?? 0), 0)));
  setText(hook('window-bytes="syn"'), "");
  const total = sumTraffic(parts);
  show(hook('window-packets="total"'), count(total.rx_packets + total.tx_packets));
  show(hook('window-bytes="total"'), bytes(total.rx_bytes + total.tx_bytes));
}

let shownWindow = null;

live.listen((feed, change) => {
  showVerdict(feed);
  if (change === "link" || !feed.state) return;
  const interfaces = chosen(feed.state.interfaces);
  showRates(interfaces);
  showTotals(interfaces);
  showCharts(feed, interfaces);
  showProcesses(feed.state);
  showHosts(interfaces);
  showInterfaces(feed);
  showLedger(hook("ledger"), interfaces);
  const last = feed.state.last_window;
  if (last && last.start === shownWindow && change === "update") return;
  shownWindow = last?.start ?? null;
  showWindow(last);
  showRankings(last);
  showProtocols(hook("protocols"), last ? chosen(last.interfaces) : []);
});

let openAlerts = null;

/** Alerts are asked for at first, and again when their number changes. */
async function recentAlerts() {
  const place = hook("recent-alerts");
  try {
    const answer = await ask("alerts", { limit: 30, interface: "" });
    showAlerts(place, answer.alerts, 4, "No alerts. Weir says here when something is not as it should be.");
  } catch (error) {
    place.firstChild.textContent = error.message;
  }
}

live.listen(({ state }) => {
  if (!state || state.open_alerts === openAlerts) return;
  openAlerts = state.open_alerts;
  recentAlerts();
});
if (openAlerts === null) recentAlerts();
