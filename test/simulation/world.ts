// A simulated world for comparing policies. Its accounts have windows that fill and reset as the backend's do, and
// prompt caches that are warm only for recently served sessions. It uses no network and no real time.

import {
  createSimulatedAccount,
  type SimulatedAccount,
  type SimulatedMeter,
  type SimulatedWindow,
} from "../../src/simulation/simulated-account.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const SHORT_MS = 5 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const MONTH_MS = 30 * DAY_MS;

/** The cost of a turn if the account has the session's prompt in its cache, and if it does not. */
export const WARM_COST = 1;
export const COLD_COST = 3;
/** The cost of an anchor turn, whose prompt is a few words. */
export const ANCHOR_COST = 0.1;
/** A cache entry expires this long after its last use. */
const CACHE_MS = 30 * MINUTE_MS;

/** What an account may spend in each of its two windows. A weekly window contains eight short windows. */
export const SHORT_LIMIT = 150;
export const WEEK_LIMIT = 1_200;
/** What an account with a monthly window in place of the weekly one may spend in a month: as much per day. */
const MONTH_LIMIT = (WEEK_LIMIT * MONTH_MS) / WEEK_MS;

/** The model that has a limit of its own. */
export const METERED_MODEL = "small";
/** The limits of that model, as a share of the main ones. */
export const METER_SHARE = 0.25;

export interface World {
  readonly accounts: readonly WorldAccount[];
  readonly byId: ReadonlyMap<string, WorldAccount>;
  /** The unspent quota of the longer windows at their resets, in whole windows, and the number of those resets. */
  wasted(): { readonly left: number; readonly resets: number };
  /** Advances the time to `nowMs` and resets the windows that have ended. */
  roll(nowMs: number): void;
}

export interface WorldAccount extends SimulatedAccount {
  readonly index: number;
  /** Serves one turn of a session for `model`, and spends its cost. */
  serve(session: number, nowMs: number, model: string | undefined): { readonly warm: boolean };
}

export interface WorldOptions {
  readonly count: number;
  readonly startMs: number;
  /** Determines how far each account is into its week, and how much of the week's quota it has spent. */
  readonly random: () => number;
  /** Accounts have a monthly window in place of the weekly one. Default false. */
  readonly monthly?: boolean | undefined;
  /** The credits of each account, by its number. Default: none. */
  readonly credits?: ((index: number) => number) | undefined;
  /** True if `METERED_MODEL` has a limit of its own. Default false. */
  readonly meters?: boolean | undefined;
}

export function createWorld(options: WorldOptions): World {
  const { count, startMs, random, monthly = false, credits = () => 0, meters = false } = options;
  const long = monthly
    ? ({ kind: "monthly", limit: MONTH_LIMIT, lengthMs: MONTH_MS } as const)
    : ({ kind: "weekly", limit: WEEK_LIMIT, lengthMs: WEEK_MS } as const);
  const members = Array.from({ length: count }, (_, index) => {
    // The ends of the weeks are spread evenly. Each account has spent roughly the share of its week that has passed.
    const passed = (index + random()) / count;
    const week: SimulatedWindow = {
      ...long,
      used: long.limit * Math.min(1, Math.max(0, passed + 0.4 * (random() - 0.5))),
      endMs: startMs + long.lengthMs * (1 - passed),
    };
    const own: SimulatedMeter = { model: METERED_MODEL, windows: [SHORT, week].map(smaller) };
    return member(
      index,
      createSimulatedAccount({
        id: idOf(index),
        plan: "plus",
        windows: [SHORT, week],
        meters: meters ? [own] : [],
        credits: credits(index),
      }),
    );
  });
  return {
    accounts: members,
    byId: new Map(members.map((account) => [account.id, account])),
    wasted: () => ({
      left: members.reduce((sum, { wasted }) => sum + wasted.left, 0),
      resets: members.reduce((sum, { wasted }) => sum + wasted.resets, 0),
    }),
    roll: (nowMs) => {
      for (const account of members) account.roll(nowMs);
    },
  };
}

/** A pseudorandom sequence of numbers from 0 to 1, the same for the same seed (mulberry32). */
export function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

// --- internal ---

const SHORT: SimulatedWindow = {
  kind: "short",
  limit: SHORT_LIMIT,
  lengthMs: SHORT_MS,
  used: 0,
  endMs: undefined,
};

function smaller(window: SimulatedWindow): SimulatedWindow {
  return { ...window, limit: window.limit * METER_SHARE, used: window.used * METER_SHARE };
}

function member(index: number, account: SimulatedAccount): WorldAccount {
  const cached = new Map<number, number>();
  return {
    ...account,
    index,
    serve: (session, nowMs, model) => {
      const warm = (cached.get(session) ?? Number.NEGATIVE_INFINITY) + CACHE_MS > nowMs;
      cached.set(session, nowMs);
      account.spend(warm ? WARM_COST : COLD_COST, nowMs, model);
      return { warm };
    },
  };
}

/** The id of the account with this index in the pool. */
function idOf(index: number): string {
  return `openai:a${index}`;
}
