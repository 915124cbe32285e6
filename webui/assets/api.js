// Questions to /api/v1.
import { chosenInterface } from "./live.js";

/** `parameters` without the empty ones, and with the chosen interface. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ interface: chosenInterface, ...parameters })) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `/api/v1/${path}${text ? `?${text}` : ""}`;
}

/** The answer's JSON. Throws an Error whose message can be shown; an aborted request throws AbortError. */
export async function ask(path, parameters = {}, signal = undefined) {
  const answer = await fetch(address(path, parameters), { signal, headers: { accept: "application/json" }, credentials: "same-origin" });
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new Error("The session has ended.");
  }
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail || problem.title || `The request failed with status ${answer.status}.`);
}

/** Runs one question at a time: a newer one cancels the older. Resolves to null where it was cancelled. */
export class Latest {
  #controller = null;

  async ask(path, parameters) {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    try {
      return await ask(path, parameters, controller.signal);
    } catch (error) {
      if (controller.signal.aborted) return null;
      throw error;
    }
  }
}

/** Calls back when typing has paused. */
export function debounced(action, millis = 200) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), millis);
  };
}
