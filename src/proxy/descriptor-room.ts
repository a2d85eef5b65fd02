// Keeps descriptors free for upstreams, files and admin.sock, however many connections clients open: before they run
// out, it closes connections that say nothing, then stalled uploads, and has new requests refused.

import { CodexlbError } from "../errors.ts";
import type { Descriptors } from "../state/descriptors.ts";

/** The connections, by `peerKey`, that a request or a WebSocket uses. */
export interface UsedConnections {
  /** Their answer is awaited or under way. They are never closed. */
  readonly answering: ReadonlySet<string>;
  /** Their request body is incomplete, since when (`performance.now()`). */
  readonly receiving: ReadonlyMap<string, number>;
}

export interface DescriptorRoomContext {
  readonly descriptors: Descriptors;
  /** Where clients connect to. */
  readonly port: () => number;
  readonly used: () => UsedConnections;
  /** Called at most once every `REPORT_EVERY_MS`. */
  readonly report: (shortage: DescriptorShortage) => void;
}

/** What happened since the last report. */
export interface DescriptorShortage {
  /** The most that were open. */
  readonly open: number;
  readonly limit: number;
  readonly closedConnections: number;
  readonly refusedRequests: number;
}

export interface DescriptorRoom {
  /** Looks at the descriptors from now on. */
  start(): void;
  stop(): void;
  /** Why one more request cannot be served; undefined: it can. */
  refusal(): CodexlbError | undefined;
}

export function createDescriptorRoom(context: DescriptorRoomContext): DescriptorRoom {
  const { descriptors } = context;
  const levels = levelsFor(descriptors.limit);
  // The system gives out the lowest free number. So while none from here on is open, no more than so many are.
  const areFew = descriptors.noneOpenBetween(levels.shedAt, levels.usable);
  /** Silent connections that were there at the last look, and the number of the look that saw them first. */
  let silent = new Map<string, number>();
  let looks = 0;
  /** How many are open, at most. */
  let open = levels.shedAt;
  let takenSinceCount = 0;
  let mostOpen = 0;
  let closedConnections = 0;
  let refusedRequests = 0;
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  let unreportedSinceMs: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Returns all that are open when they are many, which is when it takes longer to find out. */
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

  const look = (): void => {
    const all = count();
    looks++;
    if (open > levels.shedAt) shed(all);
    else silent.clear();
    report();
    // The descriptors are real even where a test has a clock of its own.
    timer = setTimeout(look, LOOK_MS);
    timer.unref();
  };

  const shed = (all: readonly number[]): void => {
    const candidates = findCandidates(all);
    silent = new Map(candidates.silent.map(({ key, firstLook }) => [key, firstLook]));
    for (const descriptor of inOrder(candidates, looks).slice(0, open - levels.shedTo)) {
      descriptors.shutDown(descriptor);
      closedConnections++;
    }
  };

  const findCandidates = (all: readonly number[]): Candidates => {
    const { answering, receiving } = context.used();
    const uploadsBeforeMs = performance.now() - YOUNG_UPLOAD_MS;
    const found: Candidates = { silent: [], uploads: [] };
    for (const { descriptor, peer } of descriptors.accepted(context.port(), all)) {
      if (answering.has(peer)) continue;
      const sinceMs = receiving.get(peer);
      const key = `${descriptor} ${peer}`;
      if (sinceMs === undefined) found.silent.push({ descriptor, key, firstLook: silent.get(key) ?? looks });
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
    // The event log needs a descriptor, too.
    if (open >= levels.refuseAt && nowMs - unreportedSinceMs < REPORT_WITHIN_MS) return;
    reportedAtMs = nowMs;
    unreportedSinceMs = undefined;
    context.report({ open: mostOpen, limit: descriptors.limit, closedConnections, refusedRequests });
    mostOpen = 0;
    closedConnections = 0;
    refusedRequests = 0;
  };

  return {
    start: look,
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

/** More descriptors than one person's proxy ever needs, however many the system allows. */
const MOST_DESCRIPTORS = 65_536;
/**
 * What silent connections do not get: a quarter, so that the connections that arrive between two looks find room. At
 * least what a few requests and a write of the state need, at most what those ever need.
 */
const RESERVE = { share: 1 / 4, least: 32, most: 1_024 } as const;
/** Time between two looks. One takes about 10 us while there is room. */
const LOOK_MS = 200;
/** A body usually comes with its head, so an upload of this age is a slow one. */
const YOUNG_UPLOAD_MS = 1_000;
const REPORT_EVERY_MS = 60_000;
/** A report waits so long for free descriptors. */
const REPORT_WITHIN_MS = 2_000;
/** The client's connection and one to an upstream. */
const DESCRIPTORS_PER_REQUEST = 2;

interface Levels {
  /** Descriptors are below this. */
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
    // Below the level that starts it, so that not every new connection makes it look again.
    shedTo: Math.floor(usable - reserve * 1.5),
    shedAt: Math.floor(usable - reserve),
    refuseAt: Math.floor(usable - reserve / 2),
  };
}

interface Candidates {
  readonly silent: { readonly descriptor: number; readonly key: string; readonly firstLook: number }[];
  readonly uploads: { readonly descriptor: number; readonly sinceMs: number }[];
}

/** Descriptors, the first to go first: those silent for longest, old uploads, those that this look saw first. */
function inOrder({ silent, uploads }: Candidates, thisLook: number): number[] {
  const known = silent.filter(({ firstLook }) => firstLook < thisLook);
  return [
    ...known.sort((a, b) => a.firstLook - b.firstLook),
    ...uploads.sort((a, b) => a.sinceMs - b.sinceMs),
    ...silent.filter(({ firstLook }) => firstLook === thisLook),
  ].map(({ descriptor }) => descriptor);
}
