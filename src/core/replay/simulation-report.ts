// The report of `codexlb simulate`: what would have happened to the recorded turns with other settings and accounts.

import type { PolicyMode } from "../policy.ts";
import type { WindowKind } from "../windows.ts";

/** Shares are 0..1, times Unix ms, and amounts USD at API prices. */
export interface SimulationReport {
  readonly since_ms: number;
  readonly until_ms: number;
  readonly turns: number;
  /** Turns that are not simulated because child proxies served them. */
  readonly turns_of_children: number;
  /** Turns that are not simulated because their model has its own limit. */
  readonly turns_of_other_limits: number;
  /** Turns whose model has no known price. They count as turns of a typical model, and are not in `cost_usd`. */
  readonly unpriced_turns: number;
  readonly prices_as_of: string;
  /** True if config.toml has the price of a model that was used. */
  readonly uses_own_prices: boolean;
  /** The accounts in service. */
  readonly accounts: readonly ReportedAccount[];
  /** The accounts that scenarios add. */
  readonly added: readonly ReportedAccount[];
  /** Accounts that are disabled or draining, and therefore not simulated. */
  readonly left_out: readonly string[];
  /** API keys, which are not simulated. */
  readonly api_keys: readonly string[];
  /** Accounts that are not simulated, because the history does not show how much quota they have. */
  readonly unmeasured: readonly string[];
  readonly scenarios: readonly ScenarioReport[];
}

/**
 * Where the sizes of an account's windows come from. `own`: its own history. `same_plan`: the history of accounts with
 * its plan. `plan_size`: that of accounts with another plan, and the sizes of plans in plan-sizes.json.
 */
export type SizeSource = "own" | "same_plan" | "plan_size";

export interface ReportedAccount {
  readonly alias: string;
  /** "" if it is unknown. */
  readonly plan: string;
  readonly source: SizeSource;
  readonly windows: readonly {
    readonly kind: WindowKind;
    readonly size_usd: number;
    /**
     * The true size is within this share of `size_usd` with a probability of about 80 %. With `plan_size`: that of the
     * account from which the size was computed; the error of the sizes of plans is not known.
     */
    readonly error: number;
  }[];
}

export interface Scenario {
  /** The aliases of accounts that are removed. */
  readonly without: readonly string[];
  /** The names of accounts that are added, such as `+plus`. */
  readonly added: readonly string[];
  readonly policy: PolicyMode;
  /** False if the floors of accounts are ignored. */
  readonly floors: boolean;
  /** True if anchor turns start windows as the settings say. */
  readonly anchoring: boolean;
}

export interface ScenarioReport extends Scenario {
  readonly refused: number;
  /**
   * The number of refused turns if all windows are as large, and as small, as their errors allow. null: not computed,
   * because only the policy differs from the first scenario.
   */
  readonly refused_least: number | null;
  readonly refused_most: number | null;
  /** When turns were refused, in order of time: at most `MOST_SPANS` spans, so their `turns` may add up to fewer. */
  readonly refused_times: readonly RefusedSpan[];
  /** How long no account could serve after a refused turn, hours. */
  readonly wait_hours: number;
  /** The unspent share of the longer windows that were reset; null if none was. */
  readonly wasted: number | null;
  readonly moves: number;
  /** The share of the input that was in the cache; null without input. */
  readonly cached: number | null;
  readonly cost_usd: number;
}

/** Refused turns that follow each other within `SPAN_GAP_MS`. */
export interface RefusedSpan {
  readonly first_ms: number;
  readonly last_ms: number;
  readonly turns: number;
}

const SPAN_GAP_MS = 2 * 3_600_000;
const MOST_SPANS = 100;

/** `timesMs` (Unix ms, ascending) in groups. */
export function refusedSpans(timesMs: readonly number[]): RefusedSpan[] {
  const spans: RefusedSpan[] = [];
  for (const atMs of timesMs) {
    const last = spans.at(-1);
    if (last !== undefined && atMs - last.last_ms <= SPAN_GAP_MS)
      spans[spans.length - 1] = { ...last, last_ms: atMs, turns: last.turns + 1 };
    else spans.push({ first_ms: atMs, last_ms: atMs, turns: 1 });
  }
  return spans.slice(0, MOST_SPANS);
}
