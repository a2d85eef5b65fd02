// ROOT/sessions.jsonl keeps the bindings of sessions. Each new binding is a line, and the file is rewritten when most
// of its lines are out of date. The lines of one session, in order, are the upstreams that it was bound to.

import { appendFileSync } from "node:fs";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { messageOf, systemProblem } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { RootOwner } from "../state/root-owner.ts";
import { type Binding, movedTo } from "./session-binding.ts";

/** The file that keeps the bindings. */
export interface AffinityFile {
  readonly path: string;
  readonly deps: Pick<Deps, "clock" | "log">;
  /** Owns the root that contains the file; default: the caller only reads it. */
  readonly owner?: Pick<RootOwner, "isOurs">;
}

/** Delay of a write. A killed process loses at most this much. */
const WRITE_BEHIND_MS = 250;
/** Delay of the next try after a write failed, for example because the disk is full. */
const RETRY_MS = 2_000;

export interface Journal {
  note(session: string, binding: Binding): void;
  /** Some lines of the file are out of date. */
  outdate(): void;
  flush(): void;
}

/** Reads the file into `owners`, and writes each change in the background. */
export function openJournal(
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

// --- internal ---

/** One line: session, upstream, and 1 if the binding is held. */
const Line = z.tuple([z.string(), z.string()]).rest(z.number());

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
