// Refuses requests for backend paths that Codex does not use, and for endpoints of other APIs, and logs the refusals.

import { remembered } from "../core/bounded-map.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import { firstSegment, isAllowedPath, unsupportedEndpoint } from "./allowed-paths.ts";
import { pageProblem } from "./own-pages.ts";

/** Returns why a request must not be forwarded; undefined if it may be. */
export type PathGate = (method: string, path: string) => CodexlbError | undefined;

export interface PathGateContext {
  readonly deps: Pick<Deps, "clock">;
  readonly events: EventLog;
  /** `proxy.allowed_paths`. */
  readonly allowedPaths: () => readonly string[];
}

/** Name of the event that is logged for a refused request. */
export const REFUSED_EVENT = "request.refused";

export function createPathGate({ deps, events, allowedPaths }: PathGateContext): PathGate {
  let minuteBeganMs = 0;
  let inMinute = 0;
  let unlogged = 0;
  const log = (method: string, what: { readonly segment: string } | { readonly endpoint: string }): void => {
    const nowMs = deps.clock.now();
    if (Math.abs(nowMs - minuteBeganMs) >= 60_000) {
      minuteBeganMs = nowMs;
      inMinute = 0;
    }
    if (inMinute >= MOST_A_MINUTE) {
      unlogged++;
      return;
    }
    inMinute++;
    events.append(REFUSED_EVENT, { method, ...what, unlogged: unlogged === 0 ? undefined : unlogged });
    unlogged = 0;
  };
  /** The list is the same object until the settings change. */
  let further: readonly string[] = [];
  let isAllowed = (_path: string): boolean => false;
  return (method, path) => {
    const configured = allowedPaths();
    if (configured !== further) {
      further = configured;
      isAllowed = remembered(MOST_PATHS, (one) => isAllowedPath(one, configured));
    }
    if (isAllowed(path)) return undefined;
    const endpoint = unsupportedEndpoint(path);
    if (endpoint !== undefined) {
      const isKnown = SHOWN_ENDPOINT.test(endpoint);
      log(method, { endpoint: isKnown ? endpoint : OTHER_SEGMENT });
      return unsupported(isKnown ? endpoint : "such endpoint below /v1");
    }
    const segment = firstSegment(path);
    const isShown = segment !== undefined && SHOWN.test(segment);
    log(method, { segment: isShown ? segment : OTHER_SEGMENT });
    const page = pageProblem(method, path);
    if (page !== undefined) return new CodexlbError("path_refused", page.message, { next: page.next });
    const [what, them] = isShown ? [`paths below /${segment} are`, "them"] : ["this path is", "it"];
    const name = isShown ? JSON.stringify(segment) : "its first segment";
    return new CodexlbError(
      "path_refused",
      `${what} not forwarded to the backend: Codex does not use ${them}`,
      { next: nextFor(segment, them, name) },
    );
  };
}

/** Logged in place of a segment that is not repeated. */
export const OTHER_SEGMENT = "(other)";

// --- internal ---

/** Codex uses only a few paths. */
const MOST_PATHS = 256;

/** Limits logging, because a client that retries in a loop must not fill the log. */
const MOST_A_MINUTE = 10;

/** Segments that may be logged and repeated. Keys and tokens are longer, so a misplaced one is not revealed. */
const SHOWN = /^[a-z0-9._-]{1,32}$/;

const SHOWN_ENDPOINT = /^(?:\/[a-z0-9._-]{1,32}){1,3}$/;

function unsupported(endpoint: string): CodexlbError {
  return new CodexlbError("unsupported_endpoint", `the Codex backend has no ${endpoint}`, {
    next: "use the Responses API: the proxy serves POST /v1/responses, GET /v1/models and the other paths that Codex uses",
  });
}

function nextFor(segment: string | undefined, them: string, name: string): string {
  if (segment === undefined)
    return "send the path without control characters, dot segments or repeated percent-encoding";
  if (segment.startsWith("~"))
    return "write the key without percent-encoding, as /~KEY at the start of the path";
  return `to allow ${them}, add ${name} to proxy.allowed_paths in config.toml`;
}
