// Elements without markup from data: text is only ever set as textContent.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The one element with `data-NAME`, below `root`. */
export function hook(name, root = document) {
  return root.querySelector(`[data-${name}]`);
}

/** Sets text only where it differs, so that a selection or a screen reader is not disturbed. */
export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/** A horizontal bar of `share` (0 to 1), its width in SVG attributes. */
export function bar(kind = "") {
  return drawing("svg", { class: `bar ${kind}`.trim(), viewBox: "0 0 100 3", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("rect", { height: 3, width: 0 }));
}

export function setBar(node, share) {
  const width = Math.round(Math.max(0, Math.min(1, share || 0)) * 1000) / 10;
  const rect = node.firstChild;
  if (rect.getAttribute("width") === String(width)) return;
  rect.setAttribute("width", width);
  rect.setAttribute("x", 100 - width);
}
