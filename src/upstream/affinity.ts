// Remembers which upstream each session is bound to. The number of sessions is limited; the least recently used are
// forgotten first. Bindings survive a restart: each new one is a line of ROOT/sessions.jsonl, which is rewritten when
// most of its lines are out of date. The lines of one session, in order, are the upstreams that it was bound to.
// Requests do not wait for the disk, and do not fail if the file cannot be written.

import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { messageOf, systemProblem } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { RootOwner } from "../state/root-owner.ts";
import { isStateKey } from "./state-keys.ts";

/**
 * Binds a session to an upstream because of its prompt cache, which is only an advantage, or because of its history.
 */
export interface Binding {
  readonly upstreamId: string;
  /** True if only this upstream can decrypt the session's history, so no other one can serve it. */
  readonly held: boolean;
  /** The upstream that served the session's last turn; undefined if unknown, for example after a restart. */
  readonly servedId?: string;
  /** The upstreams that the session was bound to before, the latest first; at most `MOST_EARLIER`. Default: none. */
  readonly earlierIds?: readonly string[];
}

export interface BoundSession extends Binding {
  readonly session: string;
}

export interface Affinity {
  get(session: string): Binding | undefined;
  bind(session: string, upstreamId: string, held?: boolean): void;
  /** Remembers that `upstreamId` served the last turn of a bound session. Does not move the session. */
  noteServed(session: string, upstreamId: string): void;
  /**
   * The full id of the bound session that begins with `start`. Returns `start` unchanged if it is itself a bound id, or
   * if no session or more than one begins with it.
   */
  fullId(start: string): string;
  /**
   * The sessions of an upstream, the most recently used first. Like `latest` and `sessionCounts`, without the keys of
   * other state.
   */
  sessionsOf(upstreamId: string): string[];
  /** The `most` most recently used sessions, the latest first. */
  latest(most: number): BoundSession[];
  /** The number of sessions of each upstream that has any. */
  sessionCounts(): ReadonlyMap<string, number>;
  /** Forgets every session of an upstream that was removed. */
  drop(upstreamId: string): void;
  /** Writes pending changes to the file. */
  flush(): void;
}

/** The file that keeps the bindings. */
export interface AffinityFile {
  readonly path: string;
  readonly deps: Pick<Deps, "clock" | "log">;
  /** Owns the root that contains the file; default: the caller only reads it. */
  readonly owner?: Pick<RootOwner, "isOurs">;
}

/** How many sessions are remembered: weeks of heavy use, less than 2 MB. */
const MOST_SESSIONS = 10_000;
/** Delay of a write. A killed process loses at most this much. */
const WRITE_BEHIND_MS = 250;
/** Delay of the next try after a write failed, for example because the disk is full. */
const RETRY_MS = 2_000;
/** How many earlier upstreams of a session are remembered, because they may still have its notes and history. */
const MOST_EARLIER = 4;
/** Session keys are UUIDs; a longer one is kept as its hash. */
const LONGEST_KEY = 200;

/** Without `file`, a restart loses all bindings. */
export function createAffinity(file?: AffinityFile, most = MOST_SESSIONS): Affinity {
  // A Map keeps insertion order: re-inserting on use makes the first entry the least recently used.
  const owners = new Map<string, Binding>();
  const journal = file === undefined ? undefined : openJournal(file, owners, most);

  const put = (session: string, binding: Binding) => {
    owners.delete(session);
    owners.set(session, binding);
    const oldest = owners.size > most ? owners.keys().next().value : undefined;
    if (oldest !== undefined) owners.delete(oldest);
  };

  return {
    get: (key) => {
      const session = short(key);
      const binding = owners.get(session);
      if (binding !== undefined) put(session, binding);
      return binding;
    },
    bind: (key, upstreamId, held = false) => {
      const session = short(key);
      const before = owners.get(session);
      const servedId = before?.servedId ?? before?.upstreamId;
      const binding = {
        ...movedTo(before, upstreamId, held),
        ...(servedId === undefined ? {} : { servedId }),
      };
      put(session, binding);
      if (before?.upstreamId !== upstreamId || before.held !== held) journal?.note(session, binding);
    },
    noteServed: (key, servedId) => {
      const session = short(key);
      const binding = owners.get(session);
      if (binding !== undefined) put(session, { ...binding, servedId });
    },
    fullId: (start) => {
      if (owners.has(start)) return start;
      const [only = start, ...others] = [...owners.keys()].filter((session) => session.startsWith(start));
      return others.length === 0 ? only : start;
    },
    sessionsOf: (upstreamId) =>
      [...owners]
        .flatMap(([key, binding]) => (binding.upstreamId === upstreamId && !isStateKey(key) ? [key] : []))
        .reverse(),
    latest: (most) =>
      [...owners]
        .filter(([key]) => !isStateKey(key))
        .slice(-most)
        .map(([session, binding]) => ({ session, ...binding }))
        .reverse(),
    sessionCounts: () => {
      const counts = new Map<string, number>();
      for (const [key, { upstreamId }] of owners)
        if (!isStateKey(key)) counts.set(upstreamId, (counts.get(upstreamId) ?? 0) + 1);
      return counts;
    },
    drop: (upstreamId) => {
      for (const [session, binding] of owners)
        if (binding.upstreamId === upstreamId) owners.delete(session);
        else if (binding.earlierIds?.includes(upstreamId))
          owners.set(session, { ...binding, earlierIds: without(binding.earlierIds, upstreamId) });
      journal?.outdate();
    },
    flush: () => journal?.flush(),
  };
}

// --- internal ---

/** The binding of a session that moves from `before` to `upstreamId`, or stays there. */
function movedTo(before: Binding | undefined, upstreamId: string, held: boolean): Binding {
  if (before === undefined) return { upstreamId, held };
  const last = before.upstreamId === upstreamId ? [] : [before.upstreamId];
  const earlierIds = [...last, ...without(before.earlierIds ?? [], upstreamId, ...last)].slice(
    0,
    MOST_EARLIER,
  );
  return { upstreamId, held, ...(earlierIds.length === 0 ? {} : { earlierIds }) };
}

function without(ids: readonly string[], ...dropped: readonly string[]): string[] {
  return ids.filter((id) => !dropped.includes(id));
}

function short(key: string): string {
  return key.length <= LONGEST_KEY ? key : createHash("sha256").update(key).digest("hex");
}

interface Journal {
  note(session: string, binding: Binding): void;
  /** Some lines of the file are out of date. */
  outdate(): void;
  flush(): void;
}

/** One line: session, upstream, and 1 if the binding is held. */
const Line = z.tuple([z.string(), z.string()]).rest(z.number());

function openJournal(
  { path, deps, owner }: AffinityFile,
  owners: Map<string, Binding>,
  most: number,
): Journal {
  let lines = readInto(owners, path, deps, most);
  let pending: string[] = [];
  let rewrite = false;
  /** How many lines the file needs. */
  let needed = most;
  let warned = false;
  let cancel: (() => void) | undefined;

  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    if (owner?.isOurs() === false) return;
    try {
      if (rewrite || lines + pending.length > most + needed) {
        const all = [...owners].flatMap(([session, binding]) => linesOf(session, binding));
        writeFileAtomic(path, all.join(""));
        lines = all.length;
        needed = Math.max(most, lines);
      } else if (pending.length > 0) {
        appendFileSync(path, pending.join(""), { mode: 0o600 });
        lines += pending.length;
      }
      pending = [];
      rewrite = false;
      warned = false;
    } catch (error) {
      if (!warned)
        deps.log.warn(
          `writing ${path}: ${systemProblem(error)}; sessions stay in memory, and codexlb keeps trying to write them`,
        );
      warned = true;
      // The file may contain a part of the lines, so all of it is written next time.
      pending = [];
      rewrite = true;
      cancel = deps.clock.after(RETRY_MS, flush);
    }
  };
  const later = () => {
    cancel ??= deps.clock.after(WRITE_BEHIND_MS, flush);
  };
  return {
    note: (session, binding) => {
      pending.push(lineOf(session, binding));
      later();
    },
    outdate: () => {
      rewrite = true;
      later();
    },
    flush: () => {
      if (pending.length > 0 || rewrite) flush();
    },
  };
}

/** The lines of a session, the earliest upstream first. */
function linesOf(session: string, binding: Binding): string[] {
  const earlier = (binding.earlierIds ?? []).map((upstreamId) =>
    lineOf(session, { upstreamId, held: false }),
  );
  return [...earlier.reverse(), lineOf(session, binding)];
}

function lineOf(session: string, { upstreamId, held }: Binding): string {
  return `${JSON.stringify(held ? [session, upstreamId, 1] : [session, upstreamId])}\n`;
}

/** Reads the file; returns how many lines it has. Ignores invalid lines, such as an incomplete last one. */
function readInto(
  owners: Map<string, Binding>,
  path: string,
  { log }: AffinityFile["deps"],
  most: number,
): number {
  let text: string | undefined;
  try {
    text = readTextIfPresent(path);
  } catch (error) {
    log.warn(`${messageOf(error)}; sessions may move to another account once`);
  }
  const lines = (text ?? "").split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const parsed = Line.safeParse(parseJson(line));
    if (!parsed.success) continue;
    const [session, upstreamId, held] = parsed.data;
    const binding = movedTo(owners.get(session), upstreamId, held === 1);
    owners.delete(session);
    owners.set(session, binding);
  }
  for (const session of [...owners.keys()].slice(0, Math.max(0, owners.size - most))) owners.delete(session);
  // If the last line is incomplete, appending would damage the next line, so the file is rewritten.
  return text === undefined || text === "" || text.endsWith("\n") ? lines.length : Number.POSITIVE_INFINITY;
}
