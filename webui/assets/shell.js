// The frame of every page: link state, losses, open alerts, clock, theme, interface selector.
import { element, hook, setText } from "./dom.js";
import { bytes, clockTime, dayName, moment, show } from "./format.js";
import { live } from "./live.js";

const DOT = { up: "dot ok", down: "dot bad", offline: "dot bad", connecting: "dot" };

function showLink({ link, state }) {
  document.body.classList.toggle("stale", link.state === "down" || link.state === "offline");
  const losses = state ? Object.values(state.losses ?? {}).reduce((sum, lost) => sum + lost, 0) : null;
  for (const node of document.querySelectorAll("[data-link]")) {
    node.dataset.linkState = link.state;
    node.querySelector("i").className = DOT[link.state] ?? "dot";
    setText(hook("link-text", node), linkText(link));
    node.title = link.reason;
    if (losses === null) continue;
    const small = hook("losses", node);
    setText(small, losses === 0 ? "nothing lost" : `${losses.toLocaleString("en")} lost`);
    small.classList.toggle("lost", losses > 0);
    small.title = Object.entries(state.losses ?? {}).filter(([, lost]) => lost > 0).map(([name, lost]) => `${name}: ${lost}`).join("\n");
  }
}

function linkText({ state, since }) {
  if (state === "up") return "collector connected";
  if (state === "down") return `collector away since ${moment(since)}`;
  if (state === "offline") return `no connection since ${clockTime(since)}`;
  return "connecting";
}

function showAlerts({ state }) {
  const badge = hook("open-alerts");
  if (!state || !badge) return;
  badge.hidden = state.open_alerts === 0;
  setText(badge, String(state.open_alerts));
}

function showDegraded({ state, link, degraded }) {
  const place = hook("degraded");
  // before the first frame stands what the page came with
  if (!place || (!state && link.state === "connecting")) return;
  const wanted = degraded.map(({ part, reason }) => `${part}\n${reason}`).join("\n\n");
  if (place.dataset.parts === wanted) return;
  place.dataset.parts = wanted;
  place.replaceChildren(...degraded.map(({ part, reason }) => element("p", { class: "banner warn" }, element("b", {}, part), ` ${reason}`)));
}

// ── Clock: the machine's time as it was last told, carried on ──

let ahead = 0;

function tick() {
  const clock = hook("clock");
  const now = Date.now() + ahead;
  setText(clock, `${dayName(now)}, ${clockTime(now)}`);
}

function setClock({ state }) {
  if (!state) return;
  const difference = Date.parse(state.time) - Date.now();
  if (Math.abs(difference - ahead) > 2000) ahead = difference;
}

// ── Theme ──

const THEMES = ["system", "light", "dark"];

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function setTheme(choice) {
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    if (choice === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", choice);
  } catch {
    // not remembered where storage is refused
  }
  markTheme();
}

function markTheme() {
  const button = hook("theme-switch");
  if (button) button.title = theme() === "system" ? "Theme: as the system" : `Theme: ${theme()}`;
  for (const choice of document.querySelectorAll("[data-theme-choice]")) {
    choice.setAttribute("aria-pressed", String(choice.dataset.themeChoice === theme()));
  }
}

/** The range and the search in the address bar survive a change of interface. */
function keepQuery(event) {
  const choice = event.target.closest("[data-choice]");
  if (!choice) return;
  const query = new URLSearchParams(location.search);
  query.delete("cursor");
  if (choice.dataset.choice) query.set("interface", choice.dataset.choice);
  else query.delete("interface");
  choice.search = query.toString();
}

// the chosen one of many interfaces may be out of sight
document.querySelector("[data-interfaces] [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
hook("theme-switch")?.addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]));
for (const button of document.querySelectorAll("[data-theme-choice]")) {
  button.addEventListener("click", () => setTheme(button.dataset.themeChoice));
}
for (const node of document.querySelectorAll("[data-bytes]")) show(node, bytes(Number(node.dataset.bytes)));
for (const node of document.querySelectorAll("time[data-moment]")) {
  node.title = node.dateTime;
  setText(node, moment(node.dateTime));
}
hook("interfaces")?.addEventListener("click", keepQuery);
// on a phone the navigation is wider than the screen
const here = document.querySelector(".side a[aria-current]");
here?.closest("ul").scrollTo({ left: here.offsetLeft - 120 });
markTheme();
tick();
setInterval(tick, 1000);
live.listen((feed) => {
  showLink(feed);
  showAlerts(feed);
  showDegraded(feed);
  setClock(feed);
});
