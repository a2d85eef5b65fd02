// Keeps file descriptors free for upstreams, files and admin.sock, however many connections clients open. Before the
// descriptors run out, it closes silent connections, then stalled uploads, and has new requests refused.

import { CodexlbError } from "../errors.ts";
import type { Descriptors } from "../state/descriptors.ts";

/** The connections that a request or a WebSocket uses, by `peerKey`. */
export interface UsedConnections {
  /** Connections that wait for or receive a response. They are never closed. */
  readonly answering: ReadonlySet<string>;
  /** Connections with an incomplete request body, and since when (on the clock of `performance.now()`). */
  readonly receiving: ReadonlyMap<string, number>;
}

export interface DescriptorRoomContext {
  readonly descriptors: Descriptors;
  /** The port that clients connect to. */
  readonly port: () => number;
  readonly used: () => UsedConnections;
  /** Called at most once every `REPORT_EVERY_MS`. */
  readonly report: (shortage: DescriptorShortage) => void;
}

/** What happened since the last report. */
export interface DescriptorShortage {
  /** The highest number of open descriptors. */
  readonly open: number;
  readonly limit: number;
  readonly closedConnections: number;
  readonly refusedRequests: number;
}

export interface DescriptorRoom {
  /** Starts checking the descriptors regularly. */
  start(): void;
  stop(): void;
  /** Why the proxy cannot serve one more request; undefined if it can. */
  refusal(): CodexlbError | undefined;
}

export function createDescriptorRoom(context: DescriptorRoomContext): DescriptorRoom {
  const { descriptors } = context;
  const levels = levelsFor(descriptors.limit);
  // The system assigns the lowest free number. If no descriptor from `shedAt` up is open, at most `shedAt` are open.
  const areFew = descriptors.noneOpenBetween(levels.shedAt, levels.usable);
  /** Silent connections found by the last check, and the number of the check that found each of them first. */
  let silent = new Map<string, number>();
  let checks = 0;
  /** Upper bound of the number of open descriptors. */
  let open = levels.shedAt;
  let takenSinceCount = 0;
  let mostOpen = 0;
  let closedConnections = 0;
  let refusedRequests = 0;
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  let unreportedSinceMs: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Returns all open descriptors if there are many. Only then are they counted one by one, which is slower. */
  const count = (): readonly number[] => {
    takenSinceCount = 0;
    if (areFew()) {
      open = levels.shedAt;
      return [];
    }
    const all = descriptors.openBetween(0, levels.usable);
    open = all.length;
    mostOpen = Math.max(mostOpen, open);
    return all;
  };

  const check = (): void => {
    const all = count();
    checks++;
    if (open > levels.shedAt) shed(all);
    else silent.clear();
    report();
    // Not `clock.after`: the descriptors are real even in a test with its own clock.
    timer = setTimeout(check, CHECK_MS);
    timer.unref();
  };

  const shed = (all: readonly number[]): void => {
    const closable = findClosable(all);
    silent = new Map(closable.silent.map(({ key, firstCheck }) => [key, firstCheck]));
    for (const descriptor of inOrder(closable, checks).slice(0, open - levels.shedTo)) {
      descriptors.shutDown(descriptor);
      closedConnections++;
    }
  };

  const findClosable = (all: readonly number[]): ClosableConnections => {
    const { answering, receiving } = context.used();
    const uploadsBeforeMs = performance.now() - YOUNG_UPLOAD_MS;
    const found: ClosableConnections = { silent: [], uploads: [] };
    for (const { descriptor, peer } of descriptors.accepted(context.port(), all)) {
      if (answering.has(peer)) continue;
      const sinceMs = receiving.get(peer);
      const key = `${descriptor} ${peer}`;
      if (sinceMs === undefined)
        found.silent.push({ descriptor, key, firstCheck: silent.get(key) ?? checks });
      else if (sinceMs < uploadsBeforeMs) found.uploads.push({ descriptor, sinceMs });
    }
    return found;
  };

  const report = (): void => {
    if (closedConnections + refusedRequests === 0) {
      mostOpen = 0;
      return;
    }
    const nowMs = performance.now();
    unreportedSinceMs ??= nowMs;
    if (nowMs - reportedAtMs < REPORT_EVERY_MS) return;
    // Wait for free descriptors, because the event log needs one.
    if (open >= levels.refuseAt && nowMs - unreportedSinceMs < REPORT_WITHIN_MS) return;
    reportedAtMs = nowMs;
    unreportedSinceMs = undefined;
    context.report({ open: mostOpen, limit: descriptors.limit, closedConnections, refusedRequests });
    mostOpen = 0;
    closedConnections = 0;
    refusedRequests = 0;
  };

  return {
    start: check,
    stop: () => clearTimeout(timer),
    refusal: () => {
      takenSinceCount++;
      if (open + takenSinceCount * DESCRIPTORS_PER_REQUEST >= levels.refuseAt) count();
      if (open < levels.refuseAt) return undefined;
      refusedRequests++;
      return new CodexlbError(
        "too_many_connections",
        `too many connections: ${open} of ${descriptors.limit} file descriptors are in use`,
        {
          next: "try again in a moment; if this persists, raise the proxy's open file limit (ulimit -n)",
          retryAfterSeconds: 1,
        },
      );
    },
  };
}

// --- internal ---

/** Upper limit of our own, if the system allows more: more than one person's proxy ever needs. */
const MOST_DESCRIPTORS = 65_536;
/**
 * Descriptors that silent connections may not use: a quarter, so that connections that arrive between two checks find
 * room. `least` is enough for a few requests and a write of the state; requests and writes never need more than `most`.
 */
const RESERVE = { share: 1 / 4, least: 32, most: 1_024 } as const;
/** Time between two checks. A check takes about 10 us while there is room. */
const CHECK_MS = 200;
/** A body usually arrives together with its head, so an upload of this age is slow. */
const YOUNG_UPLOAD_MS = 1_000;
const REPORT_EVERY_MS = 60_000;
/** How long a report waits for free descriptors. */
const REPORT_WITHIN_MS = 2_000;
/** The client's connection and one to an upstream. */
const DESCRIPTORS_PER_REQUEST = 2;

interface Levels {
  /** All descriptor numbers are below this. */
  readonly usable: number;
  readonly shedTo: number;
  readonly shedAt: number;
  readonly refuseAt: number;
}

function levelsFor(limit: number): Levels {
  const usable = Math.min(limit, MOST_DESCRIPTORS);
  const reserve = Math.min(Math.max(usable * RESERVE.share, RESERVE.least), RESERVE.most, usable / 2);
  return {
    usable,
    // Lower than the level that starts shedding, so that not every new connection starts it again.
    shedTo: Math.floor(usable - reserve * 1.5),
    shedAt: Math.floor(usable - reserve),
    refuseAt: Math.floor(usable - reserve / 2),
  };
}

interface ClosableConnections {
  readonly silent: { readonly descriptor: number; readonly key: string; readonly firstCheck: number }[];
  readonly uploads: { readonly descriptor: number; readonly sinceMs: number }[];
}

/** The order in which descriptors are closed: longest silent first, then old uploads, then newly found ones. */
function inOrder({ silent, uploads }: ClosableConnections, thisCheck: number): number[] {
  const known = silent.filter(({ firstCheck }) => firstCheck < thisCheck);
  return [
    ...known.sort((a, b) => a.firstCheck - b.firstCheck),
    ...uploads.sort((a, b) => a.sinceMs - b.sinceMs),
    ...silent.filter(({ firstCheck }) => firstCheck === thisCheck),
  ].map(({ descriptor }) => descriptor);
}
