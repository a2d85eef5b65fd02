// Runs the fault matrix: every row, in every phase, over both transports, with two accounts and with one.

import { join } from "node:path";
import type { Clock } from "../../src/deps.ts";
import { systemDeps } from "../../src/deps.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { writeFileAtomic } from "../../src/state/atomic-file.ts";
import type { Layout } from "../../src/state/layout.ts";
import { encodeStore } from "../../src/state/store-encode.ts";
import { type LoggedEvent, type StatusView, startPool, type TestPool, until } from "../support/pool.ts";
import { type SeenTurn, takeTurn } from "./codex-like.ts";
import { faultsOf, PHASES, type Phase, ROWS, type Row, TRANSPORTS, type Transport } from "./rows.ts";

export interface Case {
  readonly row: Row;
  readonly phase: Phase;
  readonly transport: Transport;
  readonly accounts: 1 | 2;
}

export interface Outcome extends Case, SeenTurn {
  /** The sum of real time and Codex's own waits. */
  readonly seconds: number;
  /** The state of each account afterwards. */
  readonly states: Readonly<Record<string, string>>;
  /** Turns that the backend received, in order, with account and transport. */
  readonly asked: readonly { readonly alias: string | undefined; readonly transport: Transport }[];
  /** Uses of accounts that had not ended within five seconds of the turn's end. */
  readonly leftInUse: number;
}

/**
 * Rows in which nothing arrives use the shortest possible timeouts, so that they end soon. In all other rows no timeout
 * may expire, however busy the machine is.
 */
function configFor({ head, inside }: Row): string {
  const seconds = head?.hang === true || inside?.end === "hang" ? 1 : 60;
  return `
[proxy]
connect_timeout_seconds = ${seconds}
head_timeout_seconds = ${seconds}
idle_timeout_seconds = ${seconds}

[policy]
mode = "sticky"
`;
}

/** Rows in which a timeout expires take seconds, but almost no CPU time. */
const AT_ONCE = 8;

export async function runMatrix(): Promise<Outcome[]> {
  const cases = [2, 1].flatMap((accounts) =>
    ROWS.flatMap((row) =>
      PHASES.flatMap((phase) =>
        TRANSPORTS.filter((transport) => faultsOf(row, phase, transport) !== undefined).map(
          (transport): Case => ({ row, phase, transport, accounts: accounts === 2 ? 2 : 1 }),
        ),
      ),
    ),
  );
  const outcomes: Outcome[] = [];
  const queue = cases.entries();
  const work = async () => {
    for (const [index, one] of queue) outcomes[index] = await run(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

// --- internal ---

async function run(one: Case): Promise<Outcome> {
  const { clock, skip } = skippingClock();
  const { alice } = one.row;
  await using pool = await startPool({
    accounts: [{ ...alice, alias: "alice" }, { alias: "bob" }].slice(0, one.accounts),
    config: configFor(one.row),
    clock,
    prepare: (layout, { accounts }) => {
      if (one.row.refusesConnections === true) moveAway(layout);
      if (alice !== undefined) accounts.spend(accounts.byAlias("alice"), alice.spent);
    },
  });
  if (alice !== undefined)
    await until("the figures are known", async () =>
      (await pool.status()).accounts.every(({ daily_left_pct }) => daily_left_pct >= 0),
    );
  pool.mock.faults.add(...(faultsOf(one.row, one.phase, one.transport) ?? []));
  if (one.transport === "sse") pool.mock.faults.add({ on: "upgrade", answer: { status: 426 } });
  const startedMs = clock.now();
  const client = { url: pool.url, session: "s1", waited: skip, hadOutput: pool.mock.faults.release };
  const seen = await takeTurn(client, one.transport);
  const seconds = (clock.now() - startedMs) / 1000;
  const leftInUse = await usesLeft(pool);
  const { accounts } = await pool.status();
  const asked = askedOf(pool);
  const events = await pool.stopAndReadEvents();
  const states = Object.fromEntries(
    accounts.map((account) => {
      const brief = account.alias === seen.servedBy ? undefined : briefCooldown(events, account.alias);
      return [account.alias, stateOf(account, brief)];
    }),
  );
  return { ...one, ...seen, seconds, states, leftInUse, asked };
}

function askedOf({ mock }: TestPool): Outcome["asked"] {
  return mock.requests.flatMap(({ point, account, json }): Outcome["asked"] => {
    if (point === "sse") return [{ alias: account, transport: "sse" }];
    const isWarmUp = typeof json === "object" && json !== null && "generate" in json;
    return point === "message" && !isWarmUp ? [{ alias: account, transport: "websocket" }] : [];
  });
}

async function usesLeft(pool: TestPool): Promise<number> {
  const count = async () => (await pool.status()).accounts.reduce((sum, { in_flight }) => sum + in_flight, 0);
  // The client closes its connection a moment after the end of the turn.
  await until("every use has ended", async () => (await count()) === 0).catch(() => {});
  return count();
}

/** Gives alice a backend of her own, at an address without a server. */
function moveAway(layout: Layout): void {
  const alice = newAccount("alice", join(layout.accounts, "alice"));
  const state = { activeId: undefined, pinnedId: undefined, messageCounter: 0, lastRotationMs: 0 };
  const accounts = [{ ...alice, ownBaseUrl: "http://127.0.0.1:1/backend-api" }];
  writeFileAtomic(layout.store, encodeStore({ ...state, accounts }, "", 0));
}

/** The real clock, plus the waits that the client skips. */
function skippingClock(): { readonly clock: Clock; skip(seconds: number): void } {
  const { clock } = systemDeps();
  let skippedMs = 0;
  return {
    clock: {
      now: () => clock.now() + skippedMs,
      monotonic: () => clock.monotonic() + skippedMs,
      after: clock.after,
    },
    skip: (seconds) => {
      skippedMs += seconds * 1000;
    },
  };
}

/** The longest cooldown that can end while the turn continues elsewhere, s. */
const BRIEF_SECONDS = 10;

/**
 * Why the account cooled down for a few seconds. Its status afterwards may not show that any more, depending on how fast
 * the machine is. Undefined if it did not, or if a turn that it served has ended the cooldown.
 */
function briefCooldown(events: readonly LoggedEvent[], alias: string): string | undefined {
  const last = events.findLast(
    ({ event, fields }) => event === "account.cooldown" && fields?.account_id === `openai:${alias}`,
  )?.fields;
  return Number(last?.cooldown_seconds) <= BRIEF_SECONDS ? String(last?.reason) : undefined;
}

function stateOf(account: StatusView["accounts"][number], brief: string | undefined): string {
  if (account.disabled_reason !== undefined) return `disabled: ${account.disabled_reason}`;
  if (account.cooldown_seconds === 0) return brief === undefined ? "ready" : `cooling: ${brief}`;
  return account.cooldown_reason === "usage-limit"
    ? "cooling until its reset"
    : `cooling: ${account.cooldown_reason}`;
}
