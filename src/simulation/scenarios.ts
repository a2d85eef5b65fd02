// Which combinations of accounts, policies, floors and anchoring `codexlb simulate` compares.

import type { PolicyMode } from "../core/policy.ts";
import type { AccountChange } from "../core/replay/account-changes.ts";
import type { Scenario } from "../core/replay/simulation-report.ts";

export interface ScenarioChoice {
  /** The aliases of the accounts that are simulated. */
  readonly aliases: readonly string[];
  /** The policy in the settings. */
  readonly configured: PolicyMode;
  /** The policies that the user names; undefined: none. */
  readonly policies: readonly PolicyMode[] | undefined;
  /** The changes that the user names; undefined: none. */
  readonly changes: readonly AccountChange[] | undefined;
  /** True if an account has a floor. */
  readonly hasFloors: boolean;
  /** True if anchoring is switched on. */
  readonly hasAnchoring: boolean;
}

/** With more accounts than this, only those that the user names are removed. */
const MOST_REMOVED = 10;

/**
 * The scenarios. The first one has the current accounts, and the first policy that the user names, or else the
 * configured one. If the user names neither policies nor changes, all policies are compared, and each account is
 * removed once.
 */
export function scenariosOf(choice: ScenarioChoice, others: readonly PolicyMode[]): Scenario[] {
  const { aliases, configured, policies, changes, hasFloors, hasAnchoring } = choice;
  const now: Scenario = {
    without: [],
    added: [],
    policy: policies?.[0] ?? configured,
    floors: hasFloors,
    anchoring: hasAnchoring,
  };
  const compared = policies ?? (changes === undefined ? [configured, ...others] : [configured]);
  const byPolicy = [...new Set(compared)].map((policy) => ({ ...now, policy }));
  const switchedOff = [
    ...(hasFloors ? [{ ...now, floors: false }] : []),
    ...(hasAnchoring ? [{ ...now, anchoring: false }] : []),
  ];
  if (changes !== undefined) {
    const changed = { without: withoutOf(changes), added: addedNames(changes) };
    return [...byPolicy, ...switchedOff, ...byPolicy.map((scenario) => ({ ...scenario, ...changed }))];
  }
  const removed =
    aliases.length < 2 || aliases.length > MOST_REMOVED || policies !== undefined ? [] : aliases;
  return [...byPolicy, ...switchedOff, ...removed.map((alias) => ({ ...now, without: [alias] }))];
}

/** The names of the accounts that `changes` add, each once: `+plus`, `+plus-2`, `+=alice`. */
export function addedNames(changes: readonly AccountChange[]): string[] {
  const counts = new Map<string, number>();
  return changes.flatMap((change) => {
    if (change.kind === "without") return [];
    const name = change.kind === "plan" ? change.plan : `=${change.alias}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return [count === 1 ? `+${name}` : `+${name}-${count}`];
  });
}

// --- internal ---

function withoutOf(changes: readonly AccountChange[]): string[] {
  return [...new Set(changes.flatMap((change) => (change.kind === "without" ? [change.alias] : [])))];
}
