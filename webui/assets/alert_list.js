// Alerts as a list of sentences.
import { element } from "./dom.js";
import { moment } from "./format.js";

const STATE = { start: "open", update: "still open", end: "ended" };

/** Snake case to words: `capture_lost` is "capture lost". */
export const kindWords = (kind) => kind.replaceAll("_", " ");

export function alertItem(alert, ...more) {
  return element("li", { class: alert.severity },
    element("i", { "aria-hidden": "true" }),
    element("div", {},
      element("b", {}, kindWords(alert.kind)), " ", alert.message,
      element("small", {}, `${moment(alert.time)} · ${alert.severity} · ${STATE[alert.state] ?? alert.state}${alert.subject ? ` · ${alert.subject}` : ""}`),
      ...more));
}

export function showAlerts(place, alerts, none) {
  if (alerts.length === 0) return place.replaceChildren(element("p", { class: "empty" }, none));
  place.replaceChildren(element("ul", { class: "alert-list" }, ...alerts.map((alert) => alertItem(alert))));
}
