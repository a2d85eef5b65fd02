// What people do to accounts: list, import, remove, pin, unpin. One implementation works on a store (inside the
// daemon, or in a command when none runs); the admin client is the other, and talks to a running daemon.

import { healthAt } from "../core/health.ts";
import type { Deps } from "../deps.ts";
import type { Layout } from "../state/layout.ts";
import type { AccountRecord, Store } from "../state/store.ts";
import { findAccount, installAccount, removeAccount } from "./homes.ts";

/** One line of a listing. */
export interface AccountSummary {
  readonly id: string;
  readonly alias: string;
  readonly email: string | undefined;
  readonly chatgptAccountId: string | undefined;
  readonly chatgptUserId: string | undefined;
  readonly enabled: boolean;
  readonly disabledReason: string | undefined;
  /** When its cooldown ends, Unix ms; 0 when there is none. */
  readonly cooldownUntilMs: number;
}

export interface ImportFiles {
  /** The text of an auth.json. */
  readonly auth: string;
  /** The text of a config.toml. */
  readonly config: string | undefined;
  /** Take it although the alias stands for another account. */
  readonly replace: boolean;
}

export interface AccountOps {
  list(): Promise<readonly AccountSummary[]>;
  /** Returns how many accounts there are now. Throws `invalid_alias`, `invalid_auth_file`, `identity_differs`. */
  import(alias: string, files: ImportFiles): Promise<number>;
  /** By alias or id; returns its alias. Throws `account_not_found`. */
  remove(name: string): Promise<string>;
  pin(name: string): Promise<string>;
  unpin(): Promise<void>;
}

/** `changed` is told after each change, with the account it was about. */
export function createAccountOps(
  store: Store,
  layout: Layout,
  { clock }: Pick<Deps, "clock">,
  changed: (record: AccountRecord | undefined) => void = () => {},
): AccountOps {
  const { state } = store;
  const done = (record: AccountRecord | undefined) => {
    store.touch();
    store.flush();
    changed(record);
  };
  return {
    list: async () => state.accounts.map((record) => summaryOf(record, clock.now())),
    import: async (alias, files) => {
      done(installAccount(state, layout, alias, files));
      return state.accounts.length;
    },
    remove: async (name) => {
      const record = removeAccount(state, layout, name);
      done(record);
      return record.alias;
    },
    pin: async (name) => {
      const record = findAccount(state, name);
      state.pinnedId = record.id;
      done(record);
      return record.alias;
    },
    unpin: async () => {
      state.pinnedId = undefined;
      done(undefined);
    },
  };
}

// --- internal ---

function summaryOf(record: AccountRecord, nowMs: number): AccountSummary {
  const health = healthAt(record.health, nowMs);
  return {
    id: record.id,
    alias: record.alias,
    email: record.email,
    chatgptAccountId: record.chatgptAccountId,
    chatgptUserId: record.chatgptUserId,
    enabled: health.kind !== "disabled",
    disabledReason: health.kind === "disabled" ? health.reason : undefined,
    cooldownUntilMs: health.kind === "cooling" ? health.untilMs : 0,
  };
}
