// Runs the scenarios of `codexlb simulate` on the recorded turns, and makes the report.

import type { AccountChange } from "../core/replay/account-changes.ts";
import type { ReplayTurn } from "../core/replay/recorded-turn.ts";
import { refusedSpans, type Scenario, type ScenarioReport } from "../core/replay/simulation-report.ts";
import { newAccount, optionsOf } from "../state/account-record.ts";
import type { AnchorSettings } from "../upstream/anchor-plan.ts";
import type { PoolSettings } from "../upstream/pool.ts";
import { type MeasuredAccount, sizesOfPlan, windowsOf } from "./measured-accounts.ts";
import { type ReplayAccount, type ReplayResult, replay } from "./replay.ts";
import { addedNames } from "./scenarios.ts";

export interface SimulationInput {
  readonly accounts: readonly MeasuredAccount[];
  /** The accounts that scenarios add. */
  readonly added: readonly MeasuredAccount[];
  readonly settings: PoolSettings;
  readonly anchor: AnchorSettings;
  readonly turns: readonly ReplayTurn[];
  /** The period, Unix ms. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Equal inputs give equal reports. `withRange`: also computes how the sizes of the windows affect the refused turns. */
export function runScenario(input: SimulationInput, scenario: Scenario, withRange: boolean): ScenarioReport {
  const resultWith = (within: number): ReplayResult => replay(setupOf(input, scenario, within));
  const result = resultWith(0);
  const refused = result.refusedMs.length;
  const least = withRange && refused > 0 ? resultWith(1).refusedMs.length : 0;
  const most = withRange ? resultWith(-1).refusedMs.length : 0;
  return {
    ...scenario,
    refused,
    // A larger window can cause a refusal by accident, because turns go to other accounts.
    refused_least: withRange ? Math.min(refused, least) : null,
    refused_most: withRange ? Math.max(refused, most) : null,
    refused_times: refusedSpans(result.refusedMs),
    wait_hours: result.waitMs / HOUR_MS,
    wasted: result.wasted ?? null,
    moves: result.moves,
    cached: result.inputTokens === 0 ? null : result.cachedTokens / result.inputTokens,
    cost_usd: result.usd,
  };
}

/** The accounts that `changes` add, or the first change whose plan or alias is not known. */
export function addedAccounts(
  changes: readonly AccountChange[],
  accounts: readonly MeasuredAccount[],
  { fileOptions }: Pick<PoolSettings, "fileOptions">,
): readonly MeasuredAccount[] | { readonly unknown: AccountChange } {
  const added: MeasuredAccount[] = [];
  const names = addedNames(changes);
  for (const change of changes) {
    if (change.kind === "without") continue;
    const name = names[added.length] ?? "";
    if (change.kind === "plan") {
      const found = sizesOfPlan(change.plan, accounts);
      if (found === undefined) return { unknown: change };
      added.push({ ...found, record: newAccount(name, ""), plan: change.plan, use: [] });
    } else {
      const original = accounts.find(({ record }) => record.alias === change.alias);
      if (original === undefined) return { unknown: change };
      const options = optionsOf(original.record, fileOptions);
      added.push({ ...original, record: newAccount(name, "", { options }), use: [] });
    }
  }
  return added;
}

// --- internal ---

const HOUR_MS = 3_600_000;

function setupOf(input: SimulationInput, scenario: Scenario, within: number) {
  const { settings, anchor, turns, sinceMs, untilMs } = input;
  const { without, added, policy, floors, anchoring } = scenario;
  const members = [
    ...input.accounts.filter(({ record }) => !without.includes(record.alias)),
    ...(added.length === 0 ? [] : input.added),
  ];
  const accounts = members.map((account): ReplayAccount => {
    const options = optionsOf(account.record, settings.fileOptions);
    return {
      record: newAccount(account.record.alias, account.record.homeDir, {
        options: floors ? options : { ...options, floorDaily: 0, floorWeekly: 0 },
      }),
      windows: windowsOf(account, sinceMs, within),
      plan: account.plan,
    };
  });
  return {
    accounts,
    // The options of the file are in the records.
    settings: { ...settings, policy: { ...settings.policy, mode: policy }, fileOptions: {} },
    anchor: anchoring ? anchor : undefined,
    turns,
    sinceMs,
    untilMs,
  };
}
