// The page "Alerts": the list, each with its evidence.
import { Latest, address, debounced } from "./api.js";
import { alertItem, joined, kindWords } from "./alert_list.js";
import { element, hook, setText } from "./dom.js";
import { fullDate, moment } from "./format.js";
import { live } from "./live.js";
import { Range, parameter, setAddress } from "./range.js";

const PAGE_ROWS = 50;
const latest = new Latest();
let cursor = null;
let events = []; // starts, updates and ends, newest first

const question = (more = {}) => ({ ...range.span, interface: "", q: hook("search").value.trim(), limit: PAGE_ROWS, ...more });

async function load() {
  try {
    const answer = await latest.ask("alerts", question());
    if (answer === null) return;
    cursor = answer.next_cursor ?? null;
    events = answer.alerts;
    if (events.length === 0) await none();
    else draw();
    lead();
    foot();
  } catch (error) {
    hook("alerts").replaceChildren(element("p", { class: "failed" }, error.message));
    setText(hook("lead"), "The alerts could not be read.");
  }
}

function draw() {
  hook("alerts").replaceChildren(element("ul", { class: "alert-list" }, ...joined(events).map(withEvidence)));
}

async function none() {
  const last = (await latest.ask("alerts", { interface: "", limit: 1 }))?.alerts[0];
  const sentence = last ? `No alerts in this range. The last one was on ${fullDate(last.time)}.` : "No alerts yet. Weir says here when something is not as it should be.";
  hook("alerts").replaceChildren(element("p", { class: "empty" }, sentence));
}

function lead() {
  const open = live.state?.open_alerts ?? 0;
  if (open > 0) return setText(hook("lead"), `${open} ${open === 1 ? "alert is" : "alerts are"} open now.`);
  setText(hook("lead"), events.length === 0 ? "Nothing to report." : "No alert is open now; these have been in this range.");
}

/** Figures behind an alert, beside their thresholds, as they came. */
function withEvidence(alert) {
  const figures = Object.entries(alert.evidence ?? {});
  if (figures.length === 0) return alertItem(alert);
  const rows = figures.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name.replaceAll("_", " ")), element("td", { class: "num" }, plain(value))));
  return alertItem(alert, element("details", {}, element("summary", {}, "Evidence"), element("table", { class: "evidence" }, element("tbody", {}, ...rows))));
}

function plain(value) {
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 3 });
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function foot() {
  hook("more").hidden = !cursor;
  const shown = joined(events).length;
  setText(hook("shown"), shown > 0 ? `${shown} ${shown === 1 ? "alert" : "alerts"}${cursor ? " shown, there are more" : ""}` : "");
  for (const link of document.querySelectorAll("[data-export]")) {
    link.href = address("alerts", question({ limit: Math.max(1, events.length), format: link.dataset.export }));
    link.download = `weir-alerts.${link.dataset.export}`;
  }
}

// ── Events: what somebody did, or what happened once ──

const latestEvents = new Latest();
const SHOWN_EVENTS = 30;

async function loadEvents() {
  const place = hook("events");
  try {
    const answer = await latestEvents.ask("events", { ...question(), limit: SHOWN_EVENTS });
    if (answer === null) return;
    const items = answer.events.map((event) => element("li", {}, element("i", { "aria-hidden": "true" }),
      element("div", {}, element("b", {}, kindWords(event.kind)), " ", event.message, element("small", {}, [moment(event.time), event.subject].filter(Boolean).join(" · ")))));
    if (answer.next_cursor) items.push(element("li", {}, element("div", {}, element("small", {}, "There are older ones: choose a range, or take the CSV."))));
    place.replaceChildren(items.length > 0 ? element("ul", { class: "alert-list" }, ...items) : element("p", { class: "empty" }, "No events in this range."));
  } catch (error) {
    place.replaceChildren(element("p", { class: "failed" }, error.message));
  }
  const link = hook("events-export");
  link.href = address("events", question({ limit: 10_000, format: "csv" }));
}

async function more() {
  const answer = await latest.ask("alerts", question({ cursor }));
  if (answer === null) return;
  cursor = answer.next_cursor ?? null;
  events.push(...answer.alerts);
  draw();
  foot();
}

function loadAll() {
  load();
  loadEvents();
}

const range = new Range(loadAll);
hook("search").value = parameter("q");
hook("search").addEventListener("input", debounced(() => {
  setAddress({ q: hook("search").value.trim() });
  loadAll();
}));
hook("more").addEventListener("click", () => more().catch((error) => setText(hook("shown"), error.message)));

let open = null;
live.listen(({ state }) => {
  if (!state || state.open_alerts === open) return;
  const first = open === null;
  open = state.open_alerts;
  if (first) lead();
  else loadAll();
});
loadAll();
setInterval(() => { if (!document.hidden) loadEvents(); }, 10_000);
