// The connection to /ws/live: keeps the newest state and the last five minutes of seconds, tells those who listen,
// connects again by itself. One connection a page.

const KEPT_SECONDS = 300;
/** RFC 6455 section 7.4.1: how the server closes when the session has ended. */
const POLICY_VIOLATION = 1008;
const VISIBLE_MILLIS = 60_000;
const SILENCE_MILLIS = 15_000;
const RETRY_MILLIS = [500, 1000, 2000, 5000, 10_000];

class LiveFeed {
  #listeners = new Set();
  #socket = null;
  #failures = 0;
  #silence = 0;

  /** The last snapshot or update, with the last window that any frame carried; null before the first. */
  state = null;
  /** `connecting`, `up`, `down` (the collector is away) or `offline` (this site is). */
  link = { state: "connecting", since: new Date().toISOString(), reason: "" };
  /** What does not work as it should: [{part, reason}], of the collector and of the history. */
  degraded = [];
  /** Interface name → [{time, rx_bytes, tx_bytes, rx_packets, tx_packets}], oldest first; holes are absent. */
  seconds = new Map();

  /** Calls `listener(feed, change)` on every frame; `change` is snapshot, update or link. */
  listen(listener) {
    this.#listeners.add(listener);
    if (this.state) listener(this, "snapshot");
    else listener(this, "link");
    if (this.#socket) return;
    this.#connect();
    setInterval(() => this.#say(), VISIBLE_MILLIS);
    document.addEventListener("visibilitychange", () => this.#say());
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/live`);
    this.#socket = socket;
    socket.addEventListener("message", (event) => this.#receive(event.data));
    socket.addEventListener("close", (event) => this.#closed(event));
    socket.addEventListener("open", () => this.#say());
    this.#expectFrame();
  }

  /** A page that is looked at keeps its session. */
  #say() {
    if (!document.hidden && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send("visible");
  }

  #receive(text) {
    this.#failures = 0;
    const frame = JSON.parse(text);
    if (frame.type === "link") {
      this.degraded = frame.degraded ?? [];
      this.#setLink(frame);
    }
    else if (frame.type === "snapshot" || frame.type === "update") this.#take(frame);
    this.#expectFrame();
  }

  #take(frame) {
    const lastWindow = frame.last_window ?? this.state?.last_window ?? null;
    this.state = { ...frame, last_window: lastWindow };
    const whole = frame.type === "snapshot";
    if (whole) this.seconds = new Map();
    this.#addSeconds(frame.seconds ?? []);
    this.degraded = frame.degraded ?? [];
    if (frame.link) this.link = { reason: "", ...frame.link };
    else if (this.link.state !== "up") this.link = { state: "up", since: frame.time, reason: "" };
    this.#tell(frame.type);
  }

  /** Seconds stand where their own time says: one that is told twice or late makes neither a bump nor a hole. */
  #addSeconds(series) {
    for (const { interface: name, start, seconds } of series) {
      const kept = this.seconds.get(name) ?? [];
      const first = Math.round(Date.parse(start) / 1000);
      // a clock that was set back: what was before stands on another line of time
      if (kept.length > 0 && first < kept[0].time - KEPT_SECONDS) kept.length = 0;
      for (const [index, second] of seconds.entries()) {
        if (kept.length === 0 || kept.at(-1).time < first + index) kept.push(secondOf(first + index, second));
      }
      while (kept.length > 0 && kept[0].time <= kept.at(-1).time - KEPT_SECONDS) kept.shift();
      this.seconds.set(name, kept);
    }
  }

  #setLink({ state, since, reason }) {
    this.link = { state, since: since ?? new Date().toISOString(), reason: reason ?? "" };
    this.#tell("link");
  }

  /** While the collector is there a connection that says nothing for long is as good as closed. */
  #expectFrame() {
    clearTimeout(this.#silence);
    if (this.link.state === "down") return;
    this.#silence = setTimeout(() => this.#socket?.close(4000, "silent"), SILENCE_MILLIS);
  }

  #closed(event) {
    clearTimeout(this.#silence);
    if (event.code === POLICY_VIOLATION) return location.reload(); // logged out: the server leads to the log-in page
    if (this.link.state !== "offline") this.#setLink({ state: "offline", reason: "no connection to Weir's web service" });
    const wait = RETRY_MILLIS[Math.min(this.#failures, RETRY_MILLIS.length - 1)];
    this.#failures += 1;
    if (this.#failures % 3 === 1) checkSession();
    setTimeout(() => this.#connect(), wait * (0.75 + Math.random() / 2));
  }

  #tell(change) {
    for (const listener of this.#listeners) listener(this, change);
  }
}

const secondOf = (time, [rx_bytes, tx_bytes, rx_packets, tx_packets]) => ({ time, rx_bytes, tx_bytes, rx_packets, tx_packets });

/** A refused handshake does not say why; an ended session shows here. */
async function checkSession() {
  const answer = await fetch("/api/v1/status", { redirect: "manual" }).catch(() => null);
  if (answer && (answer.status === 401 || answer.type === "opaqueredirect")) location.reload();
}

export const live = new LiveFeed();

/** From `?interface=`; "" is all. */
export const chosenInterface = document.body.dataset.interface ?? "";

/** Those a page speaks of: the chosen one, else all that count in totals, else (loopback alone) all. */
export function chosen(interfaces, name = (one) => one.name ?? one.interface) {
  if (chosenInterface) return interfaces.filter((one) => name(one) === chosenInterface);
  const counted = interfaces.filter((one) => one.in_totals);
  return counted.length > 0 ? counted : interfaces;
}

/** Field by field sum of {rx_packets, rx_bytes, tx_packets, tx_bytes}. */
export function sumTraffic(parts) {
  const sum = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 };
  for (const part of parts) for (const field of Object.keys(sum)) sum[field] += part?.[field] ?? 0;
  return sum;
}
