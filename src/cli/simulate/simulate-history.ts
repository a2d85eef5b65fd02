// Measures the accounts, chooses the scenarios, and runs them.

import { advised } from "../../advice.ts";
import { unknownAccountNext } from "../../auth/enrol.ts";
import { timeOfDay } from "../../core/anchor/anchor-times.ts";
import { counted } from "../../core/count-words.ts";
import { dayOf } from "../../core/local-days.ts";
import { ownLimitFor } from "../../core/meters.ts";
import { KNOWN_PLANS } from "../../core/plan-sizes.ts";
import { POLICY_MODES, type PolicyMode } from "../../core/policy.ts";
import { hasOwnPrice, PRICES_AS_OF } from "../../core/prices.ts";
import type { AccountChange } from "../../core/replay/account-changes.ts";
import { isEnough, LEAST_DAYS, LEAST_TURNS } from "../../core/replay/calibration.ts";
import { replayTurns } from "../../core/replay/recorded-turn.ts";
import type { ReportedAccount, SimulationReport } from "../../core/replay/simulation-report.ts";
import { CodexlbError } from "../../errors.ts";
import { type MeasuredAccount, measureAccounts } from "../../simulation/measured-accounts.ts";
import { addedAccounts, runScenario } from "../../simulation/run-simulation.ts";
import { scenariosOf } from "../../simulation/scenarios.ts";
import { type AccountRecord, optionsOf } from "../../state/account-record.ts";
import { poolSettings } from "../../upstream/pool-settings.ts";
import type { CommandContext } from "../context.ts";
import { usage } from "../flags.ts";
import { type PastTurns, readPastTurns } from "./past-turns.ts";

export interface SimulationRequest {
  readonly sinceMs: number;
  readonly nowMs: number;
  /** Undefined: all policies. */
  readonly policies: readonly PolicyMode[] | undefined;
  /** Undefined: each account is removed in turn. */
  readonly changes: readonly AccountChange[] | undefined;
}

/**
 * Throws `not_found` if the history is too short, `account_not_found` and `usage` for changes that are not possible, and
 * what `readPastTurns` throws.
 */
export async function simulateHistory(
  context: CommandContext,
  { sinceMs, nowMs, policies, changes }: SimulationRequest,
): Promise<SimulationReport> {
  const past = await readPastTurns(context, sinceMs, nowMs);
  const { config } = past;
  // A key has no windows of which a simulation could take quota.
  const keys = past.accounts.filter(({ billing }) => billing !== undefined);
  const chatgpt = past.accounts.filter(({ billing }) => billing === undefined);
  const inService = chatgpt.filter(({ health, draining }) => health.kind !== "disabled" && !draining);
  requireNoKey(changes, keys);
  requireKnown(changes, chatgpt, inService);
  const { accounts, unmeasured } = measured(past, inService);
  const settings = poolSettings(config);
  const added = addedAccounts(changes ?? [], accounts, settings);
  if ("unknown" in added) throw unknownPlan(added.unknown);
  const { turns: simulated, ofOtherLimits } = withoutOwnLimits(past, inService);
  const turns = replayTurns(simulated, config.prices);
  const first = turns[0];
  if (first === undefined)
    throw new CodexlbError("not_found", "no turn in this period can be simulated", {
      next: `select a longer period: ${advised("simulate", "--since", "4w")}`,
    });
  const input = {
    accounts,
    added,
    settings,
    anchor: { ...config.anchor, at: config.anchor.at.map(timeOfDay).filter((time) => time !== undefined) },
    turns,
    sinceMs: Math.max(sinceMs, first.atMs),
    untilMs: nowMs,
  };
  const scenarios = scenariosOf(
    {
      aliases: accounts.map(({ record }) => record.alias),
      configured: config.policy.mode,
      policies,
      changes,
      hasFloors: accounts.some(({ record }) => {
        const { floorDaily, floorWeekly } = optionsOf(record, config.accounts);
        return floorDaily > 0 || floorWeekly > 0;
      }),
      hasAnchoring: config.anchor.enabled,
    },
    POLICY_MODES,
  );
  return {
    since_ms: input.sinceMs,
    until_ms: nowMs,
    turns: turns.length,
    turns_of_children: past.recorded.ofChildren,
    turns_of_other_limits: ofOtherLimits,
    unpriced_turns: turns.filter(({ isPriced }) => !isPriced).length,
    prices_as_of: PRICES_AS_OF,
    uses_own_prices: simulated.some(({ model }) => hasOwnPrice(model, config.prices)),
    accounts: accounts.map(reported),
    added: added.map(reported),
    left_out: chatgpt.filter((record) => !inService.includes(record)).map(({ alias }) => alias),
    api_keys: keys.map(({ alias }) => alias),
    unmeasured,
    scenarios: scenarios.map((scenario, index) => {
      const hasOtherAccounts = scenario.without.length > 0 || scenario.added.length > 0;
      return runScenario(input, scenario, index === 0 || hasOtherAccounts);
    }),
  };
}

// --- internal ---

function measured(
  { config, uses, costs, measuredMs }: PastTurns,
  inService: readonly AccountRecord[],
): { readonly accounts: readonly MeasuredAccount[]; readonly unmeasured: readonly string[] } {
  const extent = { turns: measuredMs.length, days: new Set(measuredMs.map(dayOf)).size };
  const recording = config.usage.enabled
    ? ""
    : "set usage.enabled = true in config.toml, because turns are not recorded, and ";
  if (!isEnough(extent))
    throw new CodexlbError(
      "not_found",
      `the history is too short: ${counted(extent.turns, "turn")} on ${counted(extent.days, "day")} in the last four weeks`,
      { next: `${recording}run this again after at least ${LEAST_TURNS} turns on ${LEAST_DAYS} days` },
    );
  const { accounts, unknown } = measureAccounts(inService, uses, costs);
  if (accounts.length === 0)
    throw new CodexlbError("not_found", "the history does not show how much quota a turn takes", {
      next: `run this again when an account has used a few percent of its windows on ${LEAST_DAYS} days`,
    });
  return { accounts, unmeasured: unknown.map(({ alias }) => alias) };
}

function reported({ record, plan, source, sizes }: MeasuredAccount): ReportedAccount {
  return {
    alias: record.alias,
    plan,
    source,
    windows: sizes.map(({ kind, usd, error }) => ({ kind, size_usd: usd, error })),
  };
}

/** The turns that count against the main limits: the history has no figures for other limits. */
function withoutOwnLimits({ recorded }: PastTurns, accounts: readonly AccountRecord[]) {
  const hasOwnLimit = new Map<string, boolean>();
  const isOwn = (model: string): boolean => {
    const known =
      hasOwnLimit.get(model) ??
      accounts.some(({ quota }) => ownLimitFor(quota, model, () => undefined) !== undefined);
    hasOwnLimit.set(model, known);
    return known;
  };
  const turns = recorded.turns.filter(({ model }) => !isOwn(model));
  return { turns, ofOtherLimits: recorded.turns.length - turns.length };
}

function requireNoKey(changes: readonly AccountChange[] | undefined, keys: readonly AccountRecord[]): void {
  for (const change of changes ?? [])
    if (change.kind !== "plan" && keys.some(({ alias }) => alias === change.alias))
      throw usage(
        `flag --accounts: ${change.alias} is an API key, which has no windows to simulate`,
        "leave it out of --accounts",
      );
}

function requireKnown(
  changes: readonly AccountChange[] | undefined,
  all: readonly AccountRecord[],
  inService: readonly AccountRecord[],
): void {
  for (const change of changes ?? []) {
    if (change.kind === "plan" || inService.some(({ alias }) => alias === change.alias)) continue;
    const { alias } = change;
    if (all.some((record) => record.alias === alias))
      throw new CodexlbError(
        "account_not_found",
        `${alias} is disabled or draining, so it is not simulated`,
        {
          next: `leave it out of --accounts, or enable it with: ${advised("account enable", alias)}`,
        },
      );
    throw new CodexlbError("account_not_found", `no account is called ${JSON.stringify(alias)}`, {
      next: unknownAccountNext(
        alias,
        inService.map((record) => record.alias),
      ),
    });
  }
}

function unknownPlan(change: AccountChange): CodexlbError {
  if (change.kind !== "plan")
    return usage(
      `flag --accounts: the history does not show how much quota ${change.alias} has`,
      "copy another account, or add a plan, for example: +plus",
    );
  return usage(
    `flag --accounts: the size of the plan ${JSON.stringify(change.plan)} is unknown`,
    `use a plan that one of your accounts has, or one of: ${KNOWN_PLANS.join(", ")}`,
  );
}
