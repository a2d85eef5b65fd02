// Sums turns by day and by the labels that the sums of days keep.

import { dayOf, startOfDay } from "../../core/local-days.ts";
import type { TurnRecord } from "../../core/turn-record.ts";
import { LABELS, type LabelSet } from "./label-sets.ts";

/** The sums of alike turns of a day. `key` has the texts of `DAY_KEY`, in order. */
export interface DayRow {
  readonly key: readonly string[];
  readonly sums: DaySums;
}

export type DaySums = Record<(typeof DAY_SUMS)[number], number>;

export const DAY_KEY = [
  ...(["day", "account", "identity", "proxy", "model", "project", "client", "kind", "outcome"] as const),
] as const;
export const DAY_SUMS = [
  ...(["turns", "reported", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"] as const),
  ...(["first_outputs", "first_output_ms", "duration_ms"] as const),
] as const;

export interface DaySummer {
  add(turn: TurnRecord, labels: LabelSet): void;
  /** The sums so far. Two rows may have the same key. */
  rows(): DayRow[];
}

export function createDaySummer(): DaySummer {
  const days: OneDay[] = [];
  let current: OneDay | undefined;
  const dayAt = (ms: number): OneDay => {
    const isIn = (day: OneDay) => ms >= day.startMs && ms < day.endMs;
    if (current !== undefined && isIn(current)) return current;
    current = days.find(isIn);
    if (current === undefined) {
      current = { name: dayOf(ms), startMs: startOfDay(ms), endMs: startOfDay(ms, 1), sums: new Map() };
      days.push(current);
    }
    return current;
  };
  return {
    add: (turn, labels) => {
      const { sums } = dayAt(turn.startedMs);
      const sum = sums.get(labels) ?? { ...NOTHING };
      sums.set(labels, sum);
      addTurn(sum, turn);
    },
    rows: () =>
      days.flatMap(({ name, sums }) =>
        [...sums].map(([labels, sum]) => ({ key: keyOf(name, labels.texts), sums: sum })),
      ),
  };
}

// --- internal ---

interface OneDay {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly sums: Map<LabelSet, DaySums>;
}

const NOTHING: Readonly<DaySums> = {
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

function addTurn(sums: DaySums, { tokens, firstOutputMs, durationMs }: TurnRecord): void {
  sums.turns++;
  sums.duration_ms += durationMs;
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

function keyOf(day: string, texts: readonly string[]): readonly string[] {
  const text = (name: (typeof LABELS)[number]) => texts[LABELS.indexOf(name)] ?? "";
  return DAY_KEY.map((name) => {
    if (name === "day") return day;
    return name === "model" ? text("served_model") || text("requested_model") : text(name);
  });
}
