// The members of the pool: our accounts in the order of the store, then the child proxies in the order of the settings.

import type { AccountRecord } from "../state/account-record.ts";
import type { StoreState } from "../state/store-state.ts";
import type { Account } from "./account.ts";
import type { Child } from "./child.ts";
import type { Member } from "./roster.ts";

export interface AccountMember extends Member {
  readonly record: AccountRecord;
  /** True if it has an API key. */
  readonly isPaid: boolean;
  readonly upstream: Account;
}

export interface ChildMember extends Member {
  readonly upstream: Child;
}

export interface Members {
  /** Adds and removes members according to the store and the settings. Returns the ids of the removed ones. */
  sync(): readonly string[];
  accounts(): readonly AccountMember[];
  children(): readonly ChildMember[];
  /** The accounts, then the child proxies. */
  all(): readonly Member[];
  byId(id: string): Member | undefined;
  account(id: string): AccountMember | undefined;
}

export interface MembersContext {
  readonly state: Pick<StoreState, "accounts">;
  readonly makeAccount: (record: AccountRecord) => Account;
  readonly children: () => readonly Child[];
}

/** Has no members before the first `sync`. */
export function createMembers({ state, makeAccount, children: current }: MembersContext): Members {
  let accounts: readonly AccountMember[] = [];
  let children: readonly ChildMember[] = [];
  let all: readonly Member[] = [];
  let byId = new Map<string, Member>();
  let accountsById = new Map<string, AccountMember>();
  return {
    sync: () => {
      const before = all;
      const knownAccounts = new Map(accounts.map((member) => [member.record, member]));
      accounts = state.accounts.map((record) => {
        const known = knownAccounts.get(record);
        const isSame = known?.isPaid === (record.billing !== undefined);
        if (known !== undefined && isSame) return known;
        const isPaid = record.billing !== undefined;
        return { record, isPaid, upstream: makeAccount(record), judgement: undefined };
      });
      const knownChildren = new Map(children.map((member) => [member.upstream, member]));
      children = current().map(
        (child) =>
          knownChildren.get(child) ?? { record: child.record, upstream: child, judgement: undefined },
      );
      all = [...accounts, ...children];
      byId = new Map(all.map((member) => [member.record.id, member]));
      accountsById = new Map(accounts.map((member) => [member.record.id, member]));
      return before.flatMap(({ record: { id } }) => (byId.has(id) ? [] : [id]));
    },
    accounts: () => accounts,
    children: () => children,
    all: () => all,
    byId: (id) => byId.get(id),
    account: (id) => accountsById.get(id),
  };
}
