// The page "Sessions": the running one's totals as they grow. Those that ended come with the page.
import { Latest } from "./api.js";
import { bytesColumn, othersRow } from "./cells.js";
import { hook, setText } from "./dom.js";
import { bytes, show, span } from "./format.js";
import { live } from "./live.js";
import { ownerColumn, ownerKey } from "./owner_cells.js";
import { Table } from "./tables.js";

const MOST_PROCESSES = 8;
const POLL_MILLIS = 3000;

const running = document.querySelector("[data-session]");
const total = (row) => (row.rx_bytes ?? 0) + (row.tx_bytes ?? 0);
const sums = [bytesColumn("in", "▼ In", (row) => row.rx_bytes), bytesColumn("out", "▲ Out", (row) => row.tx_bytes)];
const unsorted = (columns) => columns.map(({ sort, ...column }) => column);

/** The page was served with one session: another, or none, is another page. */
function changed(session) {
  return (session ? String(session.id) : null) !== (running?.dataset.session ?? null);
}

const typing = () => document.activeElement?.localName === "input" && document.activeElement.value !== "";

live.listen(({ state }, change) => {
  if (!state || change === "link") return;
  if (changed(state.session)) {
    if (!typing()) location.reload();
    return;
  }
  if (state.session) draw(state.session);
});

const interfaces = running && new Table(hook("session-interfaces"), {
  caption: "Interfaces of the running session", key: (row) => row.interface,
  columns: unsorted([{ name: "interface", label: "Interface", head: true, draw: (cell, row) => setText(cell, row.interface) }, ...sums]),
});
const processes = running && new Table(hook("session-processes"), {
  caption: "Processes of the running session", key: (row) => (row.others ? "others" : ownerKey(row)),
  columns: unsorted([ownerColumn("pid", "Process"), ...sums]),
});

function draw(session) {
  show(hook("session-in"), bytes(session.rx_bytes));
  show(hook("session-out"), bytes(session.tx_bytes));
  setText(hook("session-length"), `for ${span((Date.parse(live.state.time) - Date.parse(session.begin)) / 1000)}`);
  interfaces.update(session.interfaces);
}

const latest = new Latest();

async function loadProcesses() {
  try {
    const answer = document.hidden ? null : await latest.ask("processes", { session: true, interface: "", limit: MOST_PROCESSES });
    if (answer) showProcesses(answer);
  } catch (error) {
    processes.say(error.message, true);
  }
  setTimeout(loadProcesses, POLL_MILLIS);
}

function showProcesses({ processes: rows, others }) {
  const all = rows.sort((a, b) => total(b) - total(a));
  if (all.length === 0 && total(others) === 0) processes.say("Nothing has moved in this session yet.");
  else processes.update([...all, othersRow(others, others, { others: true, pid: null })]);
}

if (running) loadProcesses();
