// The door of the dashboard: exchanges the token of a link for a session, and lets only requests of a session pass. The
// guard of the port has already refused foreign hosts and web pages (proxy/guard.ts).

import { Hono, type MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { body, boundedBody, jsonOnly, requiredText } from "../admin/requests.ts";
import { advised } from "../advice.ts";
import { DASHBOARD_PATH } from "../core/dashboard-path.ts";
import { CodexlbError } from "../errors.ts";
import { CSRF_HEADER } from "./messages.ts";
import { type DashboardSessions, SESSION_LIFETIME_MS } from "./sessions.ts";

export interface DoorContext {
  readonly sessions: DashboardSessions;
  /** The port that the proxy listens on. */
  readonly port: () => number;
}

/** `POST /_/session`: starts a session for the token of a link, which works once. */
export function sessionRoute({ sessions, port }: DoorContext) {
  return new Hono().post(
    `${DASHBOARD_PATH}session`,
    boundedBody(TOKEN_LIMIT_BYTES),
    jsonOnly,
    body("session", TokenBody),
    (c) => {
      const started = sessions.start(c.req.valid("json").token);
      if (started === undefined)
        throw new CodexlbError(
          "unauthorized",
          "opening the dashboard: the link is expired or was used before",
          {
            next: newLink(),
          },
        );
      setCookie(c, cookieName(port()), started.cookie, {
        path: DASHBOARD_PATH,
        httpOnly: true,
        sameSite: "Strict",
        // Behind a program that terminates TLS, the browser must not send the cookie without TLS.
        secure: c.req.header("origin")?.startsWith("https:") === true,
        maxAge: SESSION_LIFETIME_MS / 1000,
      });
      return c.json({ csrf: started.csrf });
    },
  );
}

/** Refuses requests that do not carry both secrets of a session. */
export function requireSession({ sessions, port }: DoorContext): MiddlewareHandler {
  return async (c, next) => {
    const cookie = getCookie(c, cookieName(port()));
    const csrf = c.req.header(CSRF_HEADER);
    if (cookie === undefined) throw noSession("this browser has no session");
    if (csrf === undefined) throw noSession(`the request has no ${CSRF_HEADER} header`);
    if (!sessions.admits({ cookie, csrf }))
      throw noSession("the session has ended, because it expired or the proxy restarted");
    await next();
  };
}

// --- internal ---

/** A token has 43 bytes. */
const TOKEN_LIMIT_BYTES = 4 * 1024;
const TokenBody = z.strictObject({ token: requiredText("token") });

function newLink(): string {
  return `for a new link, run: ${advised("dashboard")}`;
}

/** Cookies are shared by all ports of a host, so proxies on other ports need other names. */
function cookieName(port: number): string {
  return `codexlb_${port}`;
}

function noSession(why: string): CodexlbError {
  return new CodexlbError("unauthorized", `reading the dashboard: ${why}`, { next: newLink() });
}
