// Turns as rows of usage.db. Texts of clients and upstreams are shortened, and contain no control characters.

import { dayOf } from "../../core/local-days.ts";
import type { TurnRecord } from "../../core/turn-record.ts";
import { shortLine } from "../../printable.ts";

/** A value of a column. */
type Cell = string | number | null;

/** The values of a row of `turns`, in the order of its columns without the id. */
export type TurnRow = readonly Cell[];

/** The sums of equal turns of a day. `key` has the texts of the key of `days`, `sums` the numbers, in order. */
export interface DayRow {
  readonly key: string[];
  readonly sums: number[];
}

export const TURN_COLUMNS = [
  ...["started_ms", "kind", "transport", "outcome", "code", "account", "identity", "proxy", "choice"],
  ...["session", "requested_model", "served_model", "input_tokens", "cached_tokens", "output_tokens"],
  ...[
    "reasoning_tokens",
    "first_output_ms",
    "duration_ms",
    "attempts",
    "switches",
    "client",
    "run",
    "project",
  ],
] as const;

export const DAY_KEY = [
  ...["day", "account", "identity", "proxy", "model", "project", "client", "kind", "outcome"],
] as const;
export const DAY_SUMS = [
  ...["turns", "reported", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"],
  ...["first_outputs", "first_output_ms", "duration_ms"],
] as const;

/** The row of `turn`. `identity`: the hash of the account's identity. */
export function turnRow(turn: TurnRecord, identity: string | undefined): TurnRow {
  const { tokens } = turn;
  return [
    turn.startedMs,
    turn.kind,
    turn.transport,
    turn.outcome,
    text(turn.code),
    text(turn.accountAlias),
    text(identity),
    text(turn.proxy),
    text(turn.choice),
    text(turn.session),
    text(turn.requestedModel),
    text(turn.servedModel),
    tokens?.input ?? null,
    tokens?.cachedInput ?? null,
    tokens?.output ?? null,
    tokens?.reasoning ?? null,
    turn.firstOutputMs ?? null,
    turn.durationMs,
    turn.attempts,
    turn.switches.length === 0 ? null : shortLine(JSON.stringify(turn.switches), LONGEST_SWITCHES),
    text(turn.client),
    text(turn.run),
    text(turn.project),
  ];
}

/** Adds `turn` to the sums of its day in `days`. */
export function addToDays(days: Map<string, DayRow>, turn: TurnRecord, identity: string | undefined): void {
  const key = [
    dayOf(turn.startedMs),
    ...[turn.accountAlias, identity, turn.proxy, turn.servedModel ?? turn.requestedModel],
    ...[turn.project, turn.client, turn.kind, turn.outcome],
  ].map((value) => text(value) ?? "");
  const name = key.join("\0");
  let row = days.get(name);
  if (row === undefined) {
    row = { key, sums: DAY_SUMS.map(() => 0) };
    days.set(name, row);
  }
  const { tokens, firstOutputMs } = turn;
  const added = [
    ...[1, tokens === undefined ? 0 : 1],
    ...[tokens?.input ?? 0, tokens?.cachedInput ?? 0, tokens?.output ?? 0, tokens?.reasoning ?? 0],
    ...[firstOutputMs === undefined ? 0 : 1, firstOutputMs ?? 0, turn.durationMs],
  ];
  for (const [index, value] of added.entries()) row.sums[index] = (row.sums[index] ?? 0) + value;
}

// --- internal ---

/** The longest text in a column, in UTF-16 units: longer than the path of most projects. */
const LONGEST_TEXT = 300;
const LONGEST_SWITCHES = 4_000;

function text(value: string | undefined): string | null {
  return value === undefined || value === "" ? null : shortLine(value, LONGEST_TEXT);
}
