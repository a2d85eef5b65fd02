// The accounts of the benchmark's backend, and their responses.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { createMockAccounts, type MockAccount } from "../../src/mock/accounts.ts";
import { mockAuthFile } from "../../src/mock/tokens.ts";
import { createTurnMaker, readTurnRequest } from "../../src/mock/turns.ts";
import { modelsEtag, rateEvent, rateHeaders, usageOf } from "../../src/mock/wire.ts";
import { asSse } from "./protocol.ts";

export interface BackendAccount {
  /** The headers of a request that this account serves. */
  readonly credentials: Readonly<Record<"authorization" | "chatgpt-account-id", string>>;
  /** The headers of a turn: quota, turn state and version of the catalogue. */
  readonly turnHeaders: Readonly<Record<string, string>>;
  /** The four events of a short turn over SSE. */
  readonly shortTurn: readonly string[];
  /** The 13 messages of a turn over WebSocket. */
  readonly socketTurn: readonly string[];
  /** The response of the usage endpoint. */
  usage(): unknown;
}

/** Creates `count` accounts, and writes the auth.json of each to `homes/NAME/auth.json`. Names: a0000, a0001, ... */
export function createBackendAccounts(count: number, homes: string): ReadonlyMap<string, BackendAccount> {
  const { clock } = systemDeps();
  const names = Array.from({ length: count }, (_, index) => accountName(index));
  // The quota is so large that its figures never change during a benchmark.
  const accounts = createMockAccounts(
    names.map((alias) => ({ alias, turns: 1_000_000_000 })),
    clock,
    TOKEN_SECONDS,
  );
  const made = new Map<string, BackendAccount>();
  for (const account of accounts.all) {
    const tokens = accounts.issue(account);
    mkdirSync(join(homes, account.alias), { recursive: true });
    writeFileSync(join(homes, account.alias, "auth.json"), mockAuthFile(account, tokens, clock.now()));
    const rates = accounts.rates(account);
    const events = turnEvents(account);
    const { accountId, plan } = account;
    made.set(accountId, {
      credentials: { authorization: `Bearer ${tokens.access_token}`, "chatgpt-account-id": accountId },
      turnHeaders: {
        ...rateHeaders(rates, plan),
        "x-codex-turn-state": `ts-${accountId}`,
        "x-models-etag": modelsEtag(account),
      },
      shortTurn: SHORT_TURN.map((type) =>
        asSse(
          type,
          events.find((event) => event.type === type),
        ),
      ),
      socketTurn: [
        rateEvent(rates, plan),
        { type: "codex.response.metadata", headers: { "x-models-etag": modelsEtag(account) } },
        ...events.filter(({ type }) => type !== "response.in_progress"),
      ].map((event) => JSON.stringify(event)),
      usage: () => usageOf(rates, account, clock.now()),
    });
  }
  return made;
}

/** The name of the account at `index`. */
export function accountName(index: number): string {
  return `a${String(index).padStart(4, "0")}`;
}

// --- internal ---

/** The lifetime of the real backend's tokens, so that no proxy renews one during a benchmark. */
const TOKEN_SECONDS = 10 * 86_400;

const SHORT_TURN = [
  "response.created",
  "response.output_text.delta",
  "response.output_item.done",
  "response.completed",
] as const;

function turnEvents(account: MockAccount) {
  const request = readTurnRequest({ model: "bench", input: [] });
  return request === undefined ? [] : createTurnMaker().events(request, account);
}
