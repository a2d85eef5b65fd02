// Checks what a proxy reports in its status: whether its pool can serve, whether it can record turns, whether a replica
// can use its pool, and its children.

import { advised } from "../../advice.ts";
import { type OutageCause, shownState } from "../../core/account-state.ts";
import { degradedWords, isDuplicate } from "../../core/cluster-words.ts";
import { type Outage, outageOf, outageWords } from "../../core/outage.ts";
import { frameRows } from "../../core/status-rows.ts";
import type { ChildAnswer, StatusAnswer } from "../../core/status-schema.ts";
import { type Finding, ok } from "./finding.ts";

/** The findings of the proxy that reported `status`. */
export function examineStatus(status: StatusAnswer, nowMs: number): Finding[] {
  return [
    ...examinePool(status, nowMs),
    ...examineRecording(status),
    ...examineReplica(status, nowMs),
    ...examineAnchorModel(status),
    ...status.child_proxies.map(examineChild),
  ];
}

// --- internal ---

/** Whether an account can serve; nothing for a proxy without accounts. */
function examinePool(status: StatusAnswer, nowMs: number): Finding[] {
  if (status.accounts.length === 0) return [];
  const outage = outageOf(status, nowMs);
  if (outage === undefined) return [ok("pool", `${frameRows(status, nowMs).pool.state?.wordings[0]}`)];
  return [
    {
      check: "pool",
      status: "bad",
      detail: `no account can serve: ${outageWords(outage, nowMs)}`,
      remedy: outageRemedy(status, outage, nowMs),
    },
  ];
}

/** What makes an account serve soonest. Accounts of child proxies are changed there. */
function outageRemedy(status: StatusAnswer, { first }: Outage, nowMs: number): string {
  const own = status.accounts
    .filter(({ proxy_name: name }) => name === "" || name === status.proxy_name)
    .map((account) => ({ alias: account.alias, state: shownState(account, status.proxy_name, nowMs) }));
  const closed = (...causes: readonly (OutageCause | undefined)[]) =>
    own.find(({ state }) => causes.includes(state.cause));
  const enable = closed("off") ?? closed("draining");
  if (enable !== undefined) return `run: ${advised("account enable", enable.alias)}`;
  const login = closed("login", "key")?.state.command;
  if (login !== undefined) return `run: ${login}`;
  return first === undefined
    ? `for what to do about each account, see: ${advised("status")}`
    : `wait until then, or add an account: ${advised("account login", "ALIAS")}`;
}

/** Whether the proxy can record what turns use. */
function examineRecording({ usage_problem: problem }: StatusAnswer): Finding[] {
  if (problem === undefined) return [];
  return [
    {
      check: "usage",
      status: "warning",
      detail: `the proxy cannot record turns in ROOT/usage.db: ${problem}`,
      remedy: "free disk space, or correct the permissions of the root; the proxy tries again by itself",
    },
  ];
}

/** Whether a replica can use its pool. */
function examineReplica({ cluster, ...status }: StatusAnswer, nowMs: number): Finding[] {
  const words = degradedWords({ cluster }, nowMs);
  if (cluster === undefined || words === undefined) return [];
  return [
    {
      check: "replica",
      status: "warning",
      detail: `${words}: ${cluster.error ?? "the server cannot be used"}; the replica ${status.proxy_name} still serves, but renews no login`,
      remedy: replicaRemedy(cluster),
    },
  ];
}

function replicaRemedy(cluster: NonNullable<StatusAnswer["cluster"]>): string {
  if (isDuplicate(cluster))
    return "let one of the two leave the pool as described; the other one reconnects by itself";
  if (cluster.error_code === "cluster_unreachable")
    return "restore the connection to the server; the replica reconnects by itself";
  return "correct the problem as described; the replica tries again every few seconds, without a restart";
}

/** Whether an account has the model for anchoring. */
function examineAnchorModel({ anchor }: StatusAnswer): Finding[] {
  if (anchor?.unknown_model === undefined) return [];
  return [
    {
      check: "anchoring",
      status: "warning",
      detail: `no account has the model ${anchor.unknown_model} in its catalogue, so none is anchored`,
      remedy: "set anchor.model in config.toml to a small model that Codex offers",
    },
  ];
}

/** A child proxy as the proxy reports it. */
function examineChild({ name, url, reachable, last_error: error, cycle, next }: ChildAnswer): Finding {
  const check = `child proxy ${name}`;
  if (error === undefined && cycle === undefined) return ok(check, `${url} answers`);
  if (error === undefined)
    return {
      check,
      status: "warning",
      detail: `${url} answers, but its child proxies lead back here: ${cycle}; requests do not loop`,
      remedy: "remove one of the two from the other's proxy.child_proxy_urls",
    };
  const remedy =
    next ?? (reachable ? "run codexlb status on that machine" : "start it, or check the network");
  return { check, status: reachable ? "warning" : "bad", detail: `${url}: ${error}`, remedy };
}
