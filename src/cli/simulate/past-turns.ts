// What a simulation reads from the root: accounts, settings, and the record of turns. It writes nothing, so it works
// whether or not a proxy runs.

import { HISTORY_MS } from "../../core/forecast/meter-history.ts";
import { recordedCost } from "../../core/replay/recorded-turn.ts";
import { CodexlbError, systemProblem } from "../../errors.ts";
import type { AccountRecord } from "../../state/account-record.ts";
import type { Config } from "../../state/settings.ts";
import { openStore } from "../../state/store.ts";
import {
  type RecordedTurns,
  readTurns,
  readWindowUse,
  type StoredUse,
} from "../../state/usage/replay-rows.ts";
import { readUsageFile } from "../../state/usage/usage-file.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";

export interface PastTurns {
  readonly config: Config;
  readonly accounts: readonly AccountRecord[];
  /** The turns of the period. */
  readonly recorded: RecordedTurns;
  readonly uses: readonly StoredUse[];
  /** What each account's turns cost in each hour, by `accountKey`, for the hours whose use of windows is known. */
  readonly costs: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** The start times of the turns in `costs`, Unix ms. */
  readonly measuredMs: readonly number[];
}

/** Throws `file_unusable`, `store_unreadable` and `invalid_config`. */
export async function readPastTurns(
  context: CommandContext,
  sinceMs: number,
  untilMs: number,
): Promise<PastTurns> {
  const { deps, layout } = context;
  const config = await configOf(context);
  const { state } = openStore(layout.store, () => config.proxy.upstream_base_url, deps, { readOnly: true });
  try {
    using database = readUsageFile(layout.usage);
    const recorded =
      database === undefined ? { turns: [], ofChildren: 0 } : readTurns(database, sinceMs, untilMs);
    const measured = database === undefined ? [] : readTurns(database, untilMs - HISTORY_MS, untilMs).turns;
    const costs = new Map<string, Map<number, number>>();
    for (const turn of measured) {
      if (turn.account === undefined || turn.tokens === undefined) continue;
      const hours = costs.get(turn.account) ?? new Map<number, number>();
      const hour = Math.floor((turn.startedMs + turn.durationMs) / HOUR_MS);
      hours.set(hour, (hours.get(hour) ?? 0) + recordedCost(turn, config.prices));
      costs.set(turn.account, hours);
    }
    return {
      config,
      accounts: state.accounts,
      recorded,
      uses: database === undefined ? [] : readWindowUse(database),
      costs,
      measuredMs: measured.map(({ startedMs }) => startedMs),
    };
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading ${layout.usage}: ${systemProblem(error)}`, {
      next: "start the proxy, which moves a file that it cannot use aside, or delete the file",
      cause: error,
    });
  }
}

// --- internal ---

const HOUR_MS = 3_600_000;
