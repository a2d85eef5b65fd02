// A turn as the proxy records it.

import type { TurnRecord } from "../../src/core/turn-record.ts";

/** A moment in the middle of a day, Unix ms. */
export const NOON = new Date(2026, 10, 28, 12).getTime();

/** A completed turn of alice at `NOON`, but for `more`. */
export const turnRecord = (more: Partial<TurnRecord> = {}): TurnRecord => ({
  startedMs: NOON,
  kind: "turn",
  transport: "sse",
  outcome: "completed",
  code: undefined,
  accountId: "openai:alice",
  accountAlias: "alice",
  proxy: "p",
  choice: "affinity",
  session: "s1",
  requestedModel: "gpt-5",
  servedModel: undefined,
  tokens: { input: 1_000, cachedInput: 800, output: 50, reasoning: 10 },
  firstOutputMs: 200,
  durationMs: 1_000,
  attempts: 1,
  switches: [],
  client: undefined,
  run: undefined,
  project: "/home/u/project",
  ...more,
});
