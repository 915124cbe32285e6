// Alerts as a list of sentences.
import { element } from "./dom.js";
import { moment } from "./format.js";

/** Starts, updates and ends of one alert as one, by its newest word; newest first. */
export function joined(alerts) {
  const byId = new Map();
  for (const alert of alerts) {
    const known = byId.get(alert.id);
    if (!known) byId.set(alert.id, { ...alert, began: alert.time });
    else known.began = alert.time < known.began ? alert.time : known.began;
  }
  return [...byId.values()];
}

function span(alert) {
  if (alert.state !== "end") return `${moment(alert.began)} · open`;
  return alert.began === alert.time ? `ended ${moment(alert.time)}` : `${moment(alert.began)} · ended ${moment(alert.time)}`;
}

/** Snake case to words: `capture_lost` is "capture lost". */
export const kindWords = (kind) => kind.replaceAll("_", " ");

export function alertItem(alert, ...more) {
  return element("li", { class: alert.severity },
    element("i", { "aria-hidden": "true" }),
    element("div", {},
      element("b", {}, kindWords(alert.kind)), " ", alert.message,
      element("small", {}, `${span(alert)} · ${alert.severity}${alert.subject ? ` · ${alert.subject}` : ""}`),
      ...more));
}

export function showAlerts(place, alerts, most, none) {
  if (alerts.length === 0) return place.replaceChildren(element("p", { class: "empty" }, none));
  place.replaceChildren(element("ul", { class: "alert-list" }, ...joined(alerts).slice(0, most).map((alert) => alertItem(alert))));
}
