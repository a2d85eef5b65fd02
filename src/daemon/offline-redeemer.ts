// Spends reset credits while no proxy runs on the root, with the accounts in its files.

import type { ResetSpender } from "../auth/redeem-ops.ts";
import { createRefreshLane, tokenUrlOf } from "../auth/refresh.ts";
import { ALL_WORK } from "../cluster/work-leases.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { createOutbound } from "../network/egress.ts";
import { changeHealth } from "../state/record-changes.ts";
import { learn } from "../state/record-figures.ts";
import type { Config } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { createAccount } from "../upstream/account.ts";
import { poolSettings } from "../upstream/pool-settings.ts";
import { createRedeemer } from "../upstream/redeemer.ts";
import { createRefresher } from "../upstream/refresher.ts";
import { createResetCreditReader } from "../upstream/reset-credits.ts";
import { createRouting } from "../upstream/routing.ts";

/** The caller owns the root of `store` while it uses the result. */
export function offlineRedeemer(deps: Deps, store: Store, config: Config): ResetSpender {
  const { policy, quotaTtlMs } = poolSettings(config);
  const timeoutMs = config.proxy.usage_timeout_ms;
  const outbound = createOutbound({ env: deps.env, setting: () => config.proxy.outbound_proxy });
  const accountContext = {
    deps,
    lane: createRefreshLane(deps, () => ({ tokenUrl: tokenUrlOf(deps), timeoutMs, outbound })),
    routing: createRouting(deps),
    outbound,
    baseUrl: () => config.proxy.upstream_base_url,
    cooldownMs: () => config.proxy.cooldown_default_seconds * 1000,
  };
  const recordOf = (id: string) => store.state.accounts.find((record) => record.id === id);
  const view = () => ({ nowMs: deps.clock.now(), ttlMs: quotaTtlMs });
  const pool = {
    view,
    accountOf: (id: string) => {
      const record = recordOf(id);
      return record && createAccount(record, accountContext);
    },
    learn: (id: string, evidence: Parameters<typeof learn>[1]) => {
      const record = recordOf(id);
      if (record !== undefined) learn(record, evidence, { ...view(), useCredits: policy.useCredits });
    },
    note: (id: string, event: Parameters<typeof changeHealth>[1]) => {
      const record = recordOf(id);
      if (record !== undefined) changeHealth(record, event);
    },
    disable: (id: string, reason: string) =>
      pool.note(id, { kind: "disable", reason, atMs: deps.clock.now() }),
  };
  // Only a proxy writes the event log.
  const events = { append: () => {}, flush: () => {} };
  const common = { deps, store, pool, events };
  const resetCredits = createResetCreditReader({ ...common, settings: () => ({ timeoutMs }) });
  const { refresh_interval_minutes: minutes, refresh_interval_messages: messages } = config.quota;
  const refresher = createRefresher({
    ...common,
    resetCredits,
    leases: ALL_WORK,
    settings: () => ({ intervalMs: minutes * 60_000, intervalMessages: messages, timeoutMs }),
  });
  const redeemer = createRedeemer({ ...common, refresher, resetCredits, settings: () => ({ timeoutMs }) });
  // A proxy writes new figures after a moment, but this process ends.
  const written = async <Result>(work: Promise<Result>): Promise<Result> => {
    const result = await work;
    try {
      store.touch();
      store.flush();
    } catch (error) {
      deps.log.warn(`the new figures are not kept: ${messageOf(error)}`);
    }
    return result;
  };
  return {
    check: (record, creditId) => written(redeemer.check(record, creditId)),
    redeem: (record, request) => written(redeemer.redeem(record, request)),
  };
}
