// The accounts of a simulation, with the sizes of their windows: measured from their own history, or else taken from
// accounts with the same plan, or computed from the sizes of plans.

import { identityMarkOf } from "../auth/identity.ts";
import { accountKey } from "../core/forecast/forecast-accounts.ts";
import { planSizeOf } from "../core/plan-sizes.ts";
import {
  type HourlyCost,
  inOrder,
  type WindowSize,
  type WindowUse,
  windowAt,
  windowSizes,
} from "../core/replay/calibration.ts";
import type { SizeSource } from "../core/replay/simulation-report.ts";
import { presentOf, USUAL_SECONDS, WINDOW_KINDS, type WindowKind } from "../core/windows.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { StoredUse } from "../state/usage/replay-rows.ts";
import type { SimulatedWindow } from "./simulated-account.ts";

export interface MeasuredAccount {
  readonly record: AccountRecord;
  readonly plan: string;
  readonly source: SizeSource;
  readonly sizes: readonly WindowSize[];
  /** The past use of its windows; empty for an account that a scenario adds. */
  readonly use: readonly WindowUse[];
}

export interface Measured {
  readonly accounts: readonly MeasuredAccount[];
  /** The accounts whose sizes neither the history nor the plan shows. */
  readonly unknown: readonly AccountRecord[];
}

/** `costs`: what the turns of each account cost, by its `accountKey`. */
export function measureAccounts(
  records: readonly AccountRecord[],
  uses: readonly StoredUse[],
  costs: ReadonlyMap<string, HourlyCost>,
): Measured {
  const own = records.map((record) => ownMeasurement(record, uses, costs));
  const complete = own.filter(({ sizes, kinds }) => sizes.length > 0 && sizes.length === kinds.length);
  const accounts = own.flatMap(({ kinds, ...account }): MeasuredAccount[] => {
    if (complete.some(({ record }) => record === account.record)) return [account];
    const found = sizesOfPlan(account.plan, complete);
    if (found === undefined) return [];
    const known = kinds.length === 0 ? found.sizes : found.sizes.filter(({ kind }) => kinds.includes(kind));
    const missing = known.filter(({ kind }) => !account.sizes.some((one) => one.kind === kind));
    return [{ ...account, source: found.source, sizes: inOrder([...account.sizes, ...missing]) }];
  });
  return {
    accounts,
    unknown: records.filter((record) => !accounts.some((account) => account.record === record)),
  };
}

/** The sizes of the windows of a plan, computed from accounts with known sizes; undefined if there are none to use. */
export function sizesOfPlan(
  plan: string,
  accounts: readonly Pick<MeasuredAccount, "plan" | "sizes" | "source">[],
): Pick<MeasuredAccount, "sizes" | "source"> | undefined {
  const measured = accounts.filter(({ source }) => source === "own");
  const same = measured.filter((account) => account.plan.toLowerCase() === plan.toLowerCase());
  if (same.length > 0) return { source: "same_plan", sizes: meanSizes(same.map(({ sizes }) => sizes)) };
  const size = planSizeOf(plan);
  const scaled = measured.flatMap((account) => {
    const from = planSizeOf(account.plan);
    if (size === undefined || from === undefined) return [];
    return [account.sizes.map((window) => ({ ...window, usd: (window.usd * size) / from }))];
  });
  return scaled.length === 0 ? undefined : { source: "plan_size", sizes: meanSizes(scaled) };
}

/**
 * The windows of `account` at `atMs` (Unix ms). `within`: how much larger they are than measured, as a share of the error:
 * -1 is the smallest likely size, 1 the largest.
 */
export function windowsOf({ sizes, use }: MeasuredAccount, atMs: number, within: number): SimulatedWindow[] {
  return sizes.map(({ kind, usd, error }) => {
    const limit = usd * Math.max(LEAST_SHARE, 1 + within * error);
    const known = use.find((one) => one.kind === kind);
    const state = known && windowAt(known, atMs);
    return {
      kind,
      lengthMs: USUAL_SECONDS[kind] * 1000,
      limit,
      used: (state?.used ?? 0) * limit,
      endMs: state?.endMs,
    };
  });
}

// --- internal ---

/** The smallest share of its measured size that a window can have, however uncertain the size is. */
const LEAST_SHARE = 0.1;

/** What the history of an account shows, and the windows that the account has. */
interface OwnMeasurement extends MeasuredAccount {
  readonly kinds: readonly WindowKind[];
}

function ownMeasurement(
  record: AccountRecord,
  uses: readonly StoredUse[],
  costs: ReadonlyMap<string, HourlyCost>,
): OwnMeasurement {
  const key = accountKey(identityMarkOf(record), record.id);
  const known = uses.filter(({ account }) => account === key);
  const plan = record.quota.planType ?? known.at(-1)?.plan ?? "";
  const use = known.find((one) => one.plan === plan)?.windows ?? [];
  const { windows } = record.quota.main;
  const reported = WINDOW_KINDS.filter((kind) => windows[kind] !== undefined);
  const kinds = presentOf(windows).length > 0 ? reported : use.map(({ kind }) => kind);
  const sizes = windowSizes(use, costs.get(key) ?? new Map()).filter(({ kind }) => kinds.includes(kind));
  return { record, plan, source: "own", sizes: inOrder(sizes), use, kinds };
}

function meanSizes(accounts: readonly (readonly WindowSize[])[]): WindowSize[] {
  return WINDOW_KINDS.flatMap((kind) => {
    const found = accounts.flatMap((sizes) => sizes.find((one) => one.kind === kind) ?? []);
    if (found.length === 0) return [];
    return [
      {
        kind,
        usd: found.reduce((sum, { usd }) => sum + usd, 0) / found.length,
        error: Math.max(...found.map(({ error }) => error)),
      },
    ];
  });
}
