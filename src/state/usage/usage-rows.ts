// Turns as rows of usage.db. Texts of clients and upstreams are shortened, and contain no control characters.

import { remembered } from "../../core/bounded-map.ts";
import { dayOf } from "../../core/local-days.ts";
import type { TurnRecord } from "../../core/turn-record.ts";
import { shortLine } from "../../printable.ts";

/** A value of a column. */
type Cell = string | number | null;

/** The values of a row of `turns`, in the order of its columns without the id. The first is when the turn began. */
export type TurnRow = readonly [number, ...Cell[]];

/** The sums of equal turns of a day. `key` has the texts of the key of `days`, in order. */
export interface DayRow {
  readonly key: readonly string[];
  readonly sums: Record<(typeof DAY_SUMS)[number], number>;
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
  const { accountAlias, proxy, servedModel, requestedModel, project, client, kind, outcome } = turn;
  const model = servedModel ?? requestedModel;
  const day = dayOf(turn.startedMs);
  const name = `${day}\0${accountAlias}\0${identity}\0${proxy}\0${model}\0${project}\0${client}\0${kind}\0${outcome}`;
  let row = days.get(name);
  if (row === undefined) {
    const key = [day, accountAlias, identity, proxy, model, project, client, kind, outcome];
    row = { key: key.map((value) => text(value) ?? ""), sums: { ...NOTHING } };
    days.set(name, row);
  }
  const { tokens, firstOutputMs } = turn;
  const { sums } = row;
  sums.turns++;
  sums.duration_ms += turn.durationMs;
  if (tokens !== undefined) {
    sums.reported++;
    sums.input_tokens += tokens.input;
    sums.cached_tokens += tokens.cachedInput;
    sums.output_tokens += tokens.output;
    sums.reasoning_tokens += tokens.reasoning;
  }
  if (firstOutputMs !== undefined) {
    sums.first_outputs++;
    sums.first_output_ms += firstOutputMs;
  }
}

// --- internal ---

const NOTHING: Readonly<DayRow["sums"]> = {
  turns: 0,
  reported: 0,
  input_tokens: 0,
  cached_tokens: 0,
  output_tokens: 0,
  reasoning_tokens: 0,
  first_outputs: 0,
  first_output_ms: 0,
  duration_ms: 0,
};

/** The longest text in a column, in UTF-16 units: longer than the path of most projects. */
const LONGEST_TEXT = 300;
const LONGEST_SWITCHES = 4_000;

function text(value: string | undefined): string | null {
  return value === undefined || value === "" ? null : cleaned(value);
}

/** Remembered, because most turns have the same names as the ones before them. */
const cleaned = remembered(1_024, (value) => shortLine(value, LONGEST_TEXT));
