// The accounts of the whole tree as pooling sees them, each once: our own, and those below child proxies. Every turn
// needs them, so the accounts of a report are computed once and kept while they are valid.

import { identityMarkOf } from "../auth/identity.ts";
import { NO_SUMMARY } from "../core/capacity.ts";
import {
  type ChildReport,
  distinct,
  newestOfEach,
  pooledRemote,
  type RemoteAccount,
} from "../core/child-report.ts";
import { type Health, healthAt } from "../core/health.ts";
import type { PooledAccount } from "../core/pooled-limits.ts";
import { type Quota, type QuotaView, UNKNOWN_QUOTA } from "../core/quota.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { Child } from "./child.ts";

export interface Tree {
  /** `own`: each of our accounts, and how pooling sees it. */
  pooled(
    own: readonly (readonly [AccountRecord, PooledAccount])[],
    children: readonly Child[],
    view: QuotaView,
  ): readonly PooledAccount[];
}

/** An account in the pool, and its identity, by which an account that is there twice is found. */
interface Entry {
  readonly identity: string | undefined;
  readonly quota: Quota;
  readonly as: PooledAccount;
}

interface Kept {
  readonly entries: readonly (Entry & { readonly key: string })[];
  /** From then on time alone changes them, Unix ms. */
  readonly goodUntilMs: number;
}

export function createTree(): Tree {
  const kept = new WeakMap<ChildReport, Kept>();
  const marks = new WeakMap<AccountRecord, { readonly of: string; readonly mark: string | undefined }>();

  const entriesOf = (report: ChildReport, view: QuotaView): Kept["entries"] => {
    const before = kept.get(report);
    if (before !== undefined && before.goodUntilMs > view.nowMs) return before.entries;
    const entries = report.accounts.map((account) => entryOf(account, view));
    const goodUntilMs = Math.min(...entries.map(({ as }) => as.summary.goodUntilMs));
    kept.set(report, { entries, goodUntilMs });
    return entries;
  };

  const markOf = (record: AccountRecord): string | undefined => {
    const of = `${record.chatgptAccountId} ${record.chatgptUserId}`;
    const before = marks.get(record);
    if (before?.of === of) return before.mark;
    const mark = identityMarkOf(record);
    marks.set(record, { of, mark });
    return mark;
  };

  return {
    pooled: (own, children, view) => {
      const ours = own.map(([record, as]): Entry => ({ identity: markOf(record), quota: record.quota, as }));
      const told = children.flatMap((child) => {
        const report = child.report(view);
        const entries = report === undefined ? [] : entriesOf(report, view);
        const { health } = child.record;
        // That it has just refused is newer than what it said of its accounts.
        return isLimited(health, view.nowMs)
          ? entries.map((entry) => ({ ...entry, as: { ...entry.as, health } }))
          : entries;
      });
      const theirs = distinct(told, ({ key }) => key);
      return [
        ...newestOfEach([...ours, ...theirs]).map(({ as }) => as),
        ...children.flatMap((child) => unknownOf(child, view)),
      ];
    },
  };
}

// --- internal ---

function entryOf(account: RemoteAccount, view: QuotaView): Entry & { readonly key: string } {
  const { key, identity, quota } = account;
  return { key, identity, quota, as: pooledRemote(account, view) };
}

/** A child that nothing is heard of may have anything; one that refuses us has nothing. */
function unknownOf(child: Child, view: QuotaView): readonly PooledAccount[] {
  const sight = child.sight();
  if (child.report(view) !== undefined || (sight.kind === "lost" && sight.fault === "refused")) return [];
  return [{ health: child.record.health, quota: UNKNOWN_QUOTA, summary: NO_SUMMARY }];
}

function isLimited(health: Health, nowMs: number): boolean {
  const now = healthAt(health, nowMs);
  return now.kind === "cooling" && now.cause === "limit";
}
