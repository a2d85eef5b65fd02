// Makes a usage database with the turns of a year.

import { createSessionSums } from "../../src/state/usage/session-sums.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";
import { recordTurns } from "./record-turns.ts";

export const YEAR_DAYS = 365;

/** What one turn uses. */
export const YEAR_TOKENS = { input: 50_000, cachedInput: 40_000, output: 900, reasoning: 300 };

export interface YearOptions {
  readonly count: number;
  /** When the first turn began, and the current time, Unix ms. */
  readonly firstMs: number;
  readonly nowMs: number;
}

/**
 * Writes turns of sessions with 30 turns each to a new file at `path`. The turns of closed days are in all sums, as a
 * proxy would have left them. Returns how long the longest step of the sums of sessions took, ms.
 */
export function recordYear(path: string, { count, firstMs, nowMs }: YearOptions): number {
  recordTurns(
    path,
    Array.from({ length: count }, (_, index) => ({
      startedMs: firstMs + Math.floor((index * (nowMs - firstMs)) / count),
      outcome: index % 40 === 0 ? ("cut" as const) : ("completed" as const),
      accountId: `openai:${index % 5}`,
      accountAlias: `account-${index % 5}`,
      session: `session ${Math.floor(index / 30)}`,
      requestedModel: ["gpt-6.2-sol", "gpt-6-luna", "gpt-6.2-astra"][index % 3],
      tokens: YEAR_TOKENS,
      firstOutputMs: 2_000,
      project: `/home/u/project-${index % 8}`,
    })),
  );
  using database = openUsageFile(path);
  const sums = createSessionSums(database);
  let longestStepMs = 0;
  for (let added = -1; added !== 0; ) {
    const beganMs = performance.now();
    added = sums.addSome(nowMs);
    longestStepMs = Math.max(longestStepMs, performance.now() - beganMs);
  }
  sums.finalize();
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return longestStepMs;
}
