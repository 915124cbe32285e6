// The page "Processes": the list, live or of the past, and one of its rows in detail.
import { hook, setText } from "./dom.js";
import { percent, phrase } from "./format.js";
import { ListPage } from "./list_page.js";
import { live } from "./live.js";
import { GROUP_FIELDS, ownerName } from "./owner_cells.js";
import { OwnerDetail } from "./owner_detail.js";
import { ownerList } from "./owner_list.js";
import { liveOwners, loudest, overlay } from "./owner_live.js";
import { Range, parameter, setAddress } from "./range.js";

const group = () => (parameter("group") in GROUP_FIELDS ? parameter("group") : "pid");

function sortFromAddress() {
  const text = parameter("sort");
  return text ? { column: text.replace(/^-/, ""), descending: text.startsWith("-") } : null;
}

function show() {
  for (const button of document.querySelectorAll("[data-group]")) {
    button.setAttribute("aria-pressed", String(button.dataset.group === group()));
  }
  page.show(ownerList(range.name === "now", group(), sortFromAddress()));
}

const range = new Range(() => {
  show();
  detail.load();
});
const page = new ListPage(range);
const detail = new OwnerDetail(range);
page.sorted = ({ column, descending }) => setAddress({ sort: `${descending ? "-" : ""}${column}` });

hook("groups").addEventListener("click", (event) => {
  const choice = event.target.closest("[data-group]")?.dataset.group;
  if (!choice) return;
  setAddress({ group: choice === "pid" ? null : choice, sort: null }, true);
  show();
});

// a click anywhere on a row opens it; the name is a link for those who use keys
hook("rows").addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest("tbody tr")?.querySelector("th a[href]");
  if (!link || getSelection().toString()) return;
  event.preventDefault();
  detail.open(new URL(link.href).searchParams);
});
addEventListener("popstate", () => {
  show();
  detail.load();
});

function lead({ state, link }) {
  if (!state || link.state !== "up") return;
  const active = state.active_owners ?? 0;
  const many = active === 0 ? "No process moves anything at the moment." : `${active} ${active === 1 ? "process moves" : "processes move"} something.`;
  const top = active > 0 ? loudest(state) : null;
  setText(hook("lead"), top && top.share >= 0.3 ? `${ownerName(top.row)} makes ${phrase(percent(top.share))} of the traffic now. ${many}` : many);
}

const BANDWIDTHS = [[2 ** 30, "GiB/s"], [2 ** 20, "MiB/s"], [2 ** 10, "KiB/s"]];

function showThreshold({ state }) {
  const place = hook("threshold-now");
  if (!place || !state) return;
  const limit = state.process_threshold_bytes_per_second;
  const [size, unit] = BANDWIDTHS.find(([size]) => limit >= size) ?? BANDWIDTHS.at(-1);
  const number = limit / size;
  setText(hook("threshold-words"), limit === 0 ? "Alerts" : "Alert over");
  // four digits where three would round a number of its own away, such as 1023
  setText(place, limit === 0 ? "off" : `${Number(number.toPrecision(number < 1000 ? 3 : 4))} ${unit}`);
}

show();
detail.load();
live.listen((feed, change) => {
  lead(feed);
  showThreshold(feed);
  if (range.name === "now" && feed.state && change !== "link") page.refresh(overlay(feed.state, group()), group() === "pid" ? liveOwners(feed.state).rows : []);
});
