// A small attempt loop: the pool chooses an account for a turn. If the account refuses the turn for its limit, the pool
// learns that, and chooses the next one.

import type { Lease } from "../upstream/leases.ts";
import type { Pool } from "../upstream/pool.ts";
import type { SimulatedAccount } from "./simulated-account.ts";

/** The account that serves a turn, and its lease. */
export interface TurnPlacement<Account extends SimulatedAccount> {
  readonly account: Account;
  readonly lease: Lease;
}

export interface SimulatedTurn {
  readonly session: string | undefined;
  /** Undefined: a model without a limit of its own. */
  readonly model?: string | undefined;
}

/** Has the turn served. Undefined if no account can. `accounts`: those of the pool, by their ids. */
export function placeTurn<Account extends SimulatedAccount>(
  pool: Pool,
  accounts: ReadonlyMap<string, Account>,
  { session, model }: SimulatedTurn,
  nowMs: number,
): TurnPlacement<Account> | undefined {
  const tried = new Set<string>();
  for (;;) {
    const lease = pool.pick({ hops: [], session, model, tried, spends: true, requestId: 0 });
    if (lease === undefined) return undefined;
    const { id } = lease.upstream;
    const account = accounts.get(id);
    if (account === undefined) throw new Error(`no account ${id}`);
    if (account.canServe(model)) return { account, lease };
    tried.add(id);
    lease.settle({ kind: "limit", untilMs: account.roomMs(model) });
    lease.learn(account.figures(nowMs, "headers"));
    lease.release();
  }
}
