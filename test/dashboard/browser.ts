// A client that does what the dashboard's page does, without a browser.

import { remoteDashboardLink } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { CSRF_HEADER } from "../../src/dashboard/messages.ts";
import type { TestPool } from "../support/pool.ts";

/** The two secrets of a session, as headers. */
export interface PageSession {
  readonly cookie: string;
  readonly [CSRF_HEADER]: string;
}

/** The token of a new link. */
export async function newToken({ layout }: Pick<TestPool, "layout">): Promise<string> {
  const { path } = await remoteDashboardLink(socketDoor(layout.adminSocket));
  return path.slice("/_/#".length);
}

/** Posts the token of a link as the page does. `headers` replace and add some. */
export function postToken(
  url: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/_/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url, "sec-fetch-site": "same-origin", ...headers },
    body: JSON.stringify({ token }),
  });
}

/** Opens a link, and returns the headers of the session. */
export async function openSession(pool: Pick<TestPool, "layout" | "url">): Promise<PageSession> {
  const response = await postToken(pool.url, await newToken(pool));
  const { csrf } = (await response.json()) as { csrf: string };
  return { cookie: cookieIn(response), [CSRF_HEADER]: csrf };
}

/** The cookie of a response, as a browser sends it back. */
export function cookieIn(response: Response): string {
  return response.headers.get("set-cookie")?.split(";")[0] ?? "";
}
