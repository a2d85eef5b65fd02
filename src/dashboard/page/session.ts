// The page's session with the proxy. The browser keeps one of its two secrets in a cookie, and this file the other one,
// for all tabs of this address.

import { CSRF_HEADER } from "../messages.ts";

/** The proxy does not accept the session: the link was used, or the session has ended. */
export class SessionEnded extends Error {}

/** The proxy refused a request; the message says why and what to do. */
export class Refused extends Error {}

const STORED = "codexlb-csrf";

/** Starts a session if the address contains the token of a link, which it then removes from the address. */
export async function startSession(isView: (name: string) => boolean): Promise<void> {
  const token = location.hash.slice(1);
  if (token === "" || isView(token)) return;
  history.replaceState(null, "", location.pathname);
  const response = await fetch("session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (response.status === 401) {
    // A link that was opened twice does not end the session of its first use.
    if (localStorage.getItem(STORED) !== null) return;
    throw new SessionEnded("This link was used before, or is older than a minute.");
  }
  const { csrf } = (await accepted(response).json()) as { csrf: string };
  localStorage.setItem(STORED, csrf);
}

/**
 * Sends a request of the session. Throws `SessionEnded`, `Refused`, and a `TypeError` if the proxy cannot be reached.
 */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...init.headers, [CSRF_HEADER]: localStorage.getItem(STORED) ?? "" };
  const response = await fetch(path, { ...init, headers });
  if (response.status === 401)
    throw new SessionEnded("The session has ended, because the proxy restarted or twelve hours have passed.");
  if (!response.ok) throw new Refused(await reasonOf(response));
  return response;
}

/** Sends `body` as JSON. Throws what `request` throws. */
export async function post(path: string, body: unknown): Promise<void> {
  await request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** Calls `listener` when another tab has started a session. */
export function onNewSession(listener: () => void): void {
  addEventListener("storage", ({ key }) => {
    if (key === STORED) listener();
  });
}

// --- internal ---

function accepted(response: Response): Response {
  if (!response.ok) throw new Refused(`The proxy answered with status ${response.status}.`);
  return response;
}

async function reasonOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined);
  const { message, next } = (body ?? {}) as { message?: unknown; next?: unknown };
  if (typeof message !== "string") return `The proxy answered with status ${response.status}.`;
  return typeof next === "string" ? `${message}; ${next}` : message;
}
