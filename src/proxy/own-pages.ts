// Paths that clients request from the proxy itself, not from the backend, although the proxy has no such page: a
// load balancer asks for /ready, a browser for /favicon.ico. proxy.allowed_paths would not help them.

import { advised } from "../advice.ts";
import { docsPage } from "../core/project-pages.ts";
import { firstSegment } from "./allowed-paths.ts";

/** What is wrong with a request for a page, and what to do instead. */
export interface PageProblem {
  readonly message: string;
  readonly next: string;
}

/** Why the proxy has no page at `path`; undefined if the path may be one of the backend. */
export function pageProblem(method: string, path: string): PageProblem | undefined {
  if (path === "/") return { message: `the proxy does not support ${method} /`, next: USE_PAGES };
  // A client that names the backend's base path means the backend.
  if (/^\/+backend-api(?:\/|$)/i.test(path)) return undefined;
  const segment = firstSegment(path);
  if (segment === undefined || !isPageSegment(segment)) return undefined;
  switch (segment) {
    case "admin":
      return {
        message: "the admin API has no page at this path",
        next: `use an endpoint that is listed on ${docsPage("admin-api")}`,
      };
    case "oauth":
      return {
        message: "below /oauth the proxy supports only POST /oauth/token, with which Codex renews its stub",
        next: `start Codex with ${advised("run")}, which gives Codex the address for this request`,
      };
    case "dashboard":
      return {
        message: "the dashboard opens only with a link that works once",
        next: `open it with: ${advised("dashboard")}`,
      };
    default:
      return {
        message: `codexlb has no page ${path === `/${segment}` ? "" : "below "}/${segment}`,
        next: USE_PAGES,
      };
  }
}

/** True if `segment` begins paths that the proxy could have, and the backend does not. */
export function isPageSegment(segment: string): boolean {
  return PAGE_SEGMENTS.has(segment);
}

/** The next step of a client that looks for one of the proxy's pages. */
export const USE_PAGES =
  "use GET /healthz (is the proxy alive?), GET /readyz (can it serve?), GET /status (the accounts and the pool), GET /metrics (for Prometheus) or GET /logs (the event log)";

// --- internal ---

const PAGE_SEGMENTS: ReadonlySet<string> = new Set([
  ..."admin oauth metrics health healthz livez readyz ready ping status logs version dashboard".split(" "),
  ..."favicon.ico robots.txt index.html docs swagger openapi.json debug".split(" "),
]);
