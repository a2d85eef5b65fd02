// Makes a root with accounts, the turns that they have served, and the history of their windows, as a proxy would have
// left them.

import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type MeterHistory, observed } from "../../src/core/forecast/meter-history.ts";
import { costUsd, priceOf } from "../../src/core/prices.ts";
import { WINDOW_KINDS, type WindowKind } from "../../src/core/windows.ts";
import { createSimulatedAccount, type SimulatedAccount } from "../../src/simulation/simulated-account.ts";
import { accountId, newAccount } from "../../src/state/account-record.ts";
import { makePrivateDirectory } from "../../src/state/atomic-file.ts";
import type { Layout } from "../../src/state/layout.ts";
import { openStore } from "../../src/state/store.ts";
import { writeMeters } from "../../src/state/usage/meter-rows.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";
import { fakeClock } from "./clock.ts";
import { type PastTurn, recordTurns } from "./record-turns.ts";

export interface PastAccount {
  readonly alias: string;
  readonly plan: string;
  /** What can be spent in each window, in USD at API prices. */
  readonly shortUsd: number;
  readonly weekUsd: number;
  /** Default false. */
  readonly draining?: boolean;
}

export interface Past {
  readonly accounts: readonly PastAccount[];
  /** The current time, Unix ms. */
  readonly nowMs: number;
  /** The days before today with turns. */
  readonly days: number;
  /** The text of config.toml; undefined: no file. */
  readonly config?: string;
}

/** The model of all turns, and what each one uses. */
export const PAST_MODEL = "gpt-6.2-sol";
export const PAST_TOKENS = { input: 50_000, cachedInput: 40_000, output: 900, reasoning: 300 };
/** What one turn costs, in USD at API prices. */
export const PAST_TURN_USD = costUsd(
  PAST_TOKENS,
  priceOf(PAST_MODEL, {}) ?? { input: 0, cachedInput: 0, output: 0 },
);
/** Sessions on each day, from 9 o'clock on, one after another, and the turns of each. */
const SESSIONS = 6;
const TURNS = 10;
const MINUTE_MS = 60_000;

/** Writes the past to the root of `layout`. The sessions of a day use the accounts in turn. */
export function writePast(layout: Layout, { accounts, nowMs, days, config }: Past): void {
  makePrivateDirectory(dirname(layout.store));
  if (config !== undefined) writeFileSync(layout.config, config);
  const silent = { clock: fakeClock(nowMs), log: { info: () => {}, warn: () => {} } };
  const store = openStore(layout.store, () => "https://example.com", silent);
  const turns = turnsOf(accounts, nowMs, days);
  const simulated = accounts.map(
    ({ alias, plan, shortUsd, weekUsd }): SimulatedAccount =>
      createSimulatedAccount({
        id: accountId(alias),
        plan,
        windows: [
          { kind: "short", lengthMs: 300 * MINUTE_MS, limit: shortUsd, used: 0, endMs: undefined },
          { kind: "weekly", lengthMs: 10_080 * MINUTE_MS, limit: weekUsd, used: 0, endMs: undefined },
        ],
      }),
  );
  const histories = simulated.map((account) => historiesOf(account, turns, nowMs));
  store.state.accounts = accounts.map(({ alias, draining = false }, index) =>
    newAccount(alias, `${layout.accounts}/${alias}`, {
      draining,
      quota: simulated[index]?.figures(nowMs, "stored") ?? newAccount(alias, "").quota,
    }),
  );
  store.touch();
  store.flush();
  recordTurns(layout.usage, turns);
  using database = openUsageFile(layout.usage);
  writeMeters(
    database,
    histories.flatMap((windows, index) =>
      WINDOW_KINDS.flatMap((kind) => {
        const history = windows.get(kind);
        const { alias = "", plan = "" } = accounts[index] ?? {};
        if (history === undefined) return [];
        return [{ key: { account: accountId(alias), kind, plan }, history, saved: undefined }];
      }),
    ),
  );
}

// --- internal ---

function turnsOf(accounts: readonly PastAccount[], nowMs: number, days: number): PastTurn[] {
  const date = new Date(nowMs);
  return Array.from({ length: days }, (_, index) => days - index).flatMap((ago) => {
    const nineMs = new Date(date.getFullYear(), date.getMonth(), date.getDate() - ago, 9).getTime();
    return Array.from({ length: SESSIONS * TURNS }, (_, index): PastTurn => {
      const session = Math.floor(index / TURNS);
      const alias = accounts[session % accounts.length]?.alias ?? "";
      return {
        startedMs: nineMs + index * 4 * MINUTE_MS,
        durationMs: 30_000,
        accountId: accountId(alias),
        accountAlias: alias,
        session: `day ${ago} session ${session}`,
        requestedModel: PAST_MODEL,
        tokens: PAST_TOKENS,
      };
    });
  });
}

/** What a proxy would have learned from the figures of the account's turns. */
function historiesOf(account: SimulatedAccount, turns: readonly PastTurn[], nowMs: number) {
  const histories = new Map<WindowKind, MeterHistory>();
  const learn = (atMs: number): void => {
    account.roll(atMs);
    const { main, planType = "" } = account.figures(atMs, "headers");
    for (const kind of WINDOW_KINDS) {
      const window = main.windows[kind];
      if (window === undefined) continue;
      const figure = { ...window, kind, plan: planType, serves: true };
      histories.set(kind, observed(histories.get(kind), figure, atMs));
    }
  };
  for (const { startedMs, accountId: id } of turns) {
    learn(startedMs);
    if (id === account.id) account.spend(PAST_TURN_USD, startedMs);
    learn(startedMs + 30_000);
  }
  learn(nowMs);
  return histories;
}
