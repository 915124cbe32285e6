// The style sheet's colours for a canvas, which cannot take them itself. Resolved once a theme.
import { element } from "./dom.js";

const probe = element("i", { class: "probe", "aria-hidden": "true" });
document.body.append(probe);

const known = new Map();
const listeners = new Set();

/** A token such as `in`, as `rgb(…)`; with `alpha` below one, see-through. */
export function color(token, alpha = 1) {
  const key = `${token} ${alpha}`;
  if (!known.has(key)) {
    probe.className = `probe probe-${token}`;
    const rgb = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(" ");
    known.set(key, `rgb(${rgb} / ${alpha})`);
  }
  return known.get(key);
}

/** Calls back after the theme has changed. */
export function onThemeChange(listener) {
  listeners.add(listener);
}

function changed() {
  known.clear();
  for (const listener of listeners) listener();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
new MutationObserver(changed).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
