// The usage of the simulated accounts: turns use up the windows, the per-model limits, and then the credits.

import type { Clock } from "../deps.ts";

export type MockWindow = "short" | "weekly" | "monthly";

export interface MockMeterOptions {
  /** The model that the limit meters; also its name. */
  readonly model: string;
  /** Id of the limit. */
  readonly feature: string;
  readonly turns: number;
}

/** The usage of a limit in turns. */
export interface Meter {
  /** Turns allowed in the first window. */
  turns: number;
  used: number;
  /** End of the first window, Unix ms. */
  resetMs: number;
}

/** The limits of an account. */
export interface MeteredAccount extends Meter {
  readonly windows: readonly MockWindow[];
  credits: number | "unlimited" | undefined;
  readonly meters: readonly (Meter & MockMeterOptions)[];
  readonly memberTurns: number | undefined;
  /** True if the first window begins with a turn, and is over at its reset. False: it begins again at its reset. */
  readonly beginsAtUse: boolean;
  /** True while the first window runs. */
  hasBegun: boolean;
  /** All turns so far. */
  served: number;
}

export type SpendResult =
  | { readonly kind: "ok" }
  /** `limit`: the id of the exhausted limit. */
  | { readonly kind: "refused"; readonly limit: string; readonly code: string; readonly resetMs: number };

/** One window in percent. */
export interface Rate {
  readonly used: number;
  readonly resetAtS: number;
  readonly seconds: number;
}

/** One account's limits, with windows in wire format. */
export interface Rates {
  readonly primary: Rate | undefined;
  readonly secondary: Rate | undefined;
  readonly meters: readonly { readonly name: string; readonly feature: string; readonly primary: Rate }[];
  readonly credits: { readonly has_credits: boolean; readonly unlimited: boolean; readonly balance: string };
  /** Why nothing is left, if the windows are not the reason. */
  readonly reachedType: string | undefined;
  readonly individual:
    | { readonly limit: number; readonly used: number; readonly resetAtS: number }
    | undefined;
}

const SECONDS: Readonly<Record<MockWindow, number>> = {
  short: 5 * 3_600,
  weekly: 7 * 86_400,
  monthly: 30 * 86_400,
};
/** The second window allows ten times the first. */
const FIRST_WINDOWS = 10;
/** The backend's id of the main limit. */
const MAIN_LIMIT = "codex";

export interface Usage {
  /** Uses one turn for `model`, or returns the refusal if the quota is exhausted. */
  spend(account: MeteredAccount, model: string): SpendResult;
  rates(account: MeteredAccount): Rates;
}

/** The length of the first of `windows`, ms. */
export function firstWindowMs([first = "short"]: readonly MockWindow[]): number {
  return SECONDS[first] * 1000;
}

/** `startMs`: when the windows begin, Unix ms. */
export function createUsage(clock: Clock, startMs: number): Usage {
  const roll = (meter: Meter, windowMs: number): void => {
    while (meter.resetMs <= clock.now()) {
      meter.resetMs += windowMs;
      meter.used = 0;
    }
  };
  /** For a window that has not begun, the backend reports a reset that lies a whole window ahead. */
  const rollFirst = (account: MeteredAccount): void => {
    const lengthMs = firstWindowMs(account.windows);
    if (!account.beginsAtUse) return roll(account, lengthMs);
    if (account.hasBegun && account.resetMs > clock.now()) return;
    if (account.hasBegun) account.used = 0;
    account.hasBegun = false;
    account.resetMs = clock.now() + lengthMs;
  };
  const rollAll = (account: MeteredAccount): void => {
    rollFirst(account);
    for (const meter of account.meters) roll(meter, SECONDS.short * 1000);
  };
  const rate = ({ turns, used, resetMs }: Meter, window: MockWindow): Rate => ({
    used: Math.min(100, Math.round((used / turns) * 100)),
    resetAtS: Math.floor(resetMs / 1000),
    seconds: SECONDS[window],
  });

  return {
    spend: (account, model) => {
      rollAll(account);
      const { memberTurns } = account;
      const refused = (limit: string, { resetMs }: Meter, code = "usage_limit_reached"): SpendResult => ({
        kind: "refused",
        limit,
        code,
        resetMs,
      });
      if (memberTurns !== undefined && account.served >= memberTurns)
        return refused(MAIN_LIMIT, account, "workspace_member_usage_limit_reached");
      const meter = account.meters.find((one) => one.model === model);
      const counted = meter ?? account;
      if (counted.used < counted.turns) counted.used++;
      else if (meter !== undefined) return refused(meter.feature, meter);
      else if (account.credits === undefined || account.credits === 0) return refused(MAIN_LIMIT, account);
      else if (account.credits !== "unlimited") account.credits--;
      account.served++;
      account.hasBegun = true;
      return { kind: "ok" };
    },
    rates: (account) => {
      rollAll(account);
      const [first = "short", second] = account.windows;
      const main = rate(account, first);
      const { credits, memberTurns } = account;
      return {
        primary: account.windows.length === 0 ? undefined : main,
        secondary:
          second === undefined
            ? undefined
            : {
                used: Math.round(main.used / FIRST_WINDOWS),
                resetAtS: Math.floor(startMs / 1000) + SECONDS[second],
                seconds: SECONDS[second],
              },
        meters: account.meters.map((meter) => ({
          name: meter.model,
          feature: meter.feature,
          primary: rate(meter, "short"),
        })),
        credits: {
          has_credits: credits !== undefined,
          unlimited: credits === "unlimited",
          balance: typeof credits === "number" ? String(credits) : "0",
        },
        reachedType:
          memberTurns !== undefined && account.served >= memberTurns
            ? "workspace_member_usage_limit_reached"
            : undefined,
        individual:
          memberTurns === undefined
            ? undefined
            : { limit: memberTurns, used: account.served, resetAtS: Math.floor(account.resetMs / 1000) },
      };
    },
  };
}
