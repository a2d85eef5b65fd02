// Keeps what limited keys have used in ROOT/key-use.json, so that a restart does not give them a new day or minute. The
// file is written a moment after something was counted; a killed proxy loses at most that moment. It has one entry for
// each key that was used today, so it stays small.

import { z } from "zod";
import { MOST_TURNS_PER_MINUTE } from "../core/key-limits.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { KeptUse } from "./key-limiter.ts";

export interface KeyUseFile {
  /** What the file had for the key with this id when it was opened; undefined if nothing. */
  of(id: string): KeptUse | undefined;
  /** How long before the opening it was written, ms. */
  readonly writtenAgoMs: number;
  /** Something was counted: writes the file a moment later. */
  touch(): void;
  /** Writes what was counted since the last write. */
  flush(): void;
}

export interface KeyUseFileOptions extends Pick<Deps, "clock" | "log"> {
  readonly path: string;
  /** Whether the root still belongs to this process. */
  readonly isOurs: () => boolean;
  /** What each key has used, by its id. */
  readonly uses: () => ReadonlyMap<string, KeptUse>;
}

/** Opens the file. A file that cannot be read is reported, and counts as empty. */
export function openKeyUse({ path, clock, log, isOurs, uses }: KeyUseFileOptions): KeyUseFile {
  const read = readUses(path, log);
  const kept = new Map(read?.keys.map(({ id, ...use }) => [id, keptUse(use)] as const));
  const writtenAgoMs = read === undefined ? 0 : Math.max(0, clock.now() - read.written_ms);
  let cancel: (() => void) | undefined;
  let hasWarned = false;
  const flush = (): void => {
    if (cancel === undefined) return;
    cancel();
    cancel = undefined;
    if (!isOurs()) return;
    try {
      const keys = [...uses()].map(([id, { dayStartMs, tokens, minute, largestTurn }]) => ({
        id,
        day_start_ms: dayStartMs,
        tokens,
        minute,
        largest_turn: largestTurn,
      }));
      writeFileAtomic(path, `${JSON.stringify({ version: 1, written_ms: clock.now(), keys })}\n`);
      hasWarned = false;
    } catch (error) {
      if (!hasWarned)
        log.warn(
          `saving what keys have used: ${messageOf(error)}; limits still apply, but a restart may lose the counts`,
        );
      hasWarned = true;
      cancel = clock.after(RETRY_MS, flush);
    }
  };
  return {
    of: (id) => kept.get(id),
    writtenAgoMs,
    touch: () => {
      cancel ??= clock.after(WRITE_BEHIND_MS, flush);
    },
    flush,
  };
}

// --- internal ---

/** How long after a count the file is written: the most that a killed process loses. */
const WRITE_BEHIND_MS = 1_000;
/** How long to wait after a write failed. */
const RETRY_MS = 10_000;

const Use = z.object({
  id: z.string(),
  day_start_ms: z.number(),
  tokens: z.int().nonnegative(),
  /** How many seconds before the write, and how many turns. */
  minute: z.array(z.tuple([z.int().nonnegative(), z.int().min(0).max(MOST_TURNS_PER_MINUTE)])),
  /** The most tokens that a turn has used. */
  largest_turn: z.int().nonnegative().optional(),
});
const UseFile = z.object({ version: z.literal(1), written_ms: z.number(), keys: z.array(Use) });

function keptUse({ day_start_ms, tokens, minute, largest_turn }: Omit<z.output<typeof Use>, "id">): KeptUse {
  return { dayStartMs: day_start_ms, tokens, minute, largestTurn: largest_turn };
}

function readUses(path: string, log: Deps["log"]): z.output<typeof UseFile> | undefined {
  try {
    const text = readTextIfPresent(path);
    return text === undefined ? undefined : UseFile.parse(JSON.parse(text));
  } catch {
    log.warn(`reading ${path}: the file is damaged; limited keys start again at 0 for today`);
    return undefined;
  }
}
