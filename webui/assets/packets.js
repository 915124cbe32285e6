// The page "Packets": a live list over /ws/packets, newest on top. It stands still while paused, and while a pointer or
// the focus is on it.
import { element, hook, setText } from "./dom.js";
import { bytes, count, exactTime, phrase } from "./format.js";
import { chosenInterface, live } from "./live.js";
import { ownerWords } from "./owner_cells.js";
import { parameter, setAddress } from "./range.js";

const MOST_ROWS = 400;
const RETRY_MILLIS = 2000;
const TONES = { tcp: "tone-1", udp: "tone-2", icmp: "tone-3", icmpv6: "tone-3", sctp: "tone-5", no_flow: "" };
const APPLICATION_TONES = { dns: "tone-3", ssh: "tone-4", http: "tone-5", arp: "tone-4" };
const FLAGS = [[0x02, "SYN"], [0x10, "ACK"], [0x08, "PSH"], [0x01, "FIN"], [0x04, "RST"], [0x20, "URG"]];
const DIRECTIONS = { ingress: "▼", egress: "▲", local: "↺", forwarded: "⇄" };
const HEADS = [["Time"], ["Interface", "drop-2"], ["", "drop-1"], ["Source"], ["Destination", "drop-1"], ["Protocol"], ["Length", "num"], ["Process", "drop-1"], ["Detail", "text drop-1"]];

const table = hook("packets");
const body = element("tbody");
table.replaceChildren(element("caption", { class: "visually-hidden" }, "Packets, newest first"),
  element("thead", {}, element("tr", {}, ...HEADS.map(([label, kind]) => element("th", { scope: "col", class: kind ?? null }, label)))), body);

let socket = null;
let paused = false;
let held = false;
let waiting = [];
let retry = 0;

function connect() {
  clearTimeout(retry);
  socket?.close();
  const query = new URLSearchParams();
  const filter = hook("filter").value.trim();
  if (filter) query.set("filter", filter);
  if (chosenInterface) query.set("interface", chosenInterface);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const mine = new WebSocket(`${scheme}://${location.host}/ws/packets?${query}`);
  socket = mine;
  let refused = false;
  state("Connecting.");
  mine.addEventListener("open", () => mine === socket && state(filter ? "Waiting for a packet that matches." : "Waiting for packets."));
  mine.addEventListener("message", (event) => {
    if (mine !== socket) return;
    const frame = JSON.parse(event.data);
    refused = frame.type === "error" && live.link.state === "up";
    receive(frame);
  });
  mine.addEventListener("close", () => {
    if (mine !== socket || refused) return;
    state(live.link.state === "up" ? "The packet list was closed; trying again." : "The collector is away; packets come when it is back.");
    retry = setTimeout(connect, RETRY_MILLIS);
  });
}

function receive(frame) {
  if (frame.type === "error" && live.link.state === "up") {
    problem(frame.message);
    return state("No packets.");
  }
  if (frame.type !== "packets") return;
  problem("");
  totals(frame.totals);
  waiting = [...frame.packets].reverse().concat(waiting).slice(0, MOST_ROWS);
  if (!paused && !held) draw();
  else state(`${paused ? "Paused" : "Held while you are on it"}: ${waiting.length >= MOST_ROWS ? `${MOST_ROWS} or more` : waiting.length} new`);
}

function draw() {
  const fresh = waiting.map(row);
  waiting = [];
  body.prepend(...fresh);
  while (body.childElementCount > MOST_ROWS) body.lastElementChild.remove();
  state(`Live, the newest ${MOST_ROWS} at most`);
}

function row(packet) {
  const application = packet.application && packet.application !== packet.protocol ? packet.application : "";
  const word = application || (packet.protocol === "no_flow" ? "other" : packet.protocol);
  const tone = APPLICATION_TONES[application] ?? TONES[packet.protocol] ?? "";
  const [source, destination] = [end(packet.source, packet.source_mac), end(packet.destination, packet.destination_mac)];
  const cells = [
    packet.interface, DIRECTIONS[packet.direction] ?? "", null, destination,
    element("span", { class: `badge ${tone}`, title: packet.protocol }, word), null, ownerWords(packet.owner), detail(packet),
  ];
  const kinds = ["word drop-2", "drop-1", wrapping(source), `${wrapping(destination)} drop-1`, null, "num", "word drop-1", "text drop-1"];
  const node = element("tr", {}, element("th", { scope: "row" }, exactTime(packet.time)), ...cells.map((cell, at) => element("td", { class: kinds[at] }, cell ?? "")));
  node.children[3].append(source, element("small", { class: "phone-only" }, `→ ${destination}`));
  node.children[6].append(element("span", { class: "n" }, packet.wire_bytes.toLocaleString("en")), element("span", { class: "u" }, "B"));
  return node;
}

const end = (address, mac) => address || mac || "–";
/** An IPv4 end stays on its line; an IPv6 one is too long for that. */
const wrapping = (address) => (address.length > 21 ? "text" : "word");

function detail(packet) {
  const flags = packet.protocol === "tcp" ? FLAGS.filter(([bit]) => packet.tcp_flags & bit).map(([, name]) => name).join(" ") : "";
  return [flags, packet.detail].filter(Boolean).join(" · ");
}

function totals({ packets, bytes: size, not_sent: unsent }) {
  const missing = unsent > 0 ? `, ${phrase(count(unsent))} of them not shown` : ", all shown";
  setText(hook("packet-totals"), `${phrase(count(packets))} matched (${phrase(bytes(size))})${missing}`);
}

const state = (text) => setText(hook("packet-state"), text);

function problem(text) {
  const place = hook("problem");
  place.hidden = text === "";
  setText(place, text);
  if (text) hook("filter").setAttribute("aria-invalid", "true");
  else hook("filter").removeAttribute("aria-invalid");
}

function hold(on) {
  held = on;
  if (!held && !paused && waiting.length > 0) draw();
}

body.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") hold(true); });
body.addEventListener("pointerleave", () => hold(false));
hook("filter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setAddress({ filter: hook("filter").value.trim() });
  problem("");
  waiting = [];
  body.replaceChildren();
  setText(hook("packet-totals"), "");
  connect();
});
hook("pause").addEventListener("click", ({ currentTarget }) => {
  paused = !paused;
  currentTarget.setAttribute("aria-pressed", String(paused));
  setText(currentTarget, paused ? "Resume" : "Pause");
  if (paused) state("Paused");
  else draw();
});
hook("clear").addEventListener("click", () => {
  waiting = [];
  body.replaceChildren();
});
hook("filter").value = parameter("filter");
connect();
