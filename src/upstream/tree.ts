// Collects the accounts of the whole tree for pooling, each once: our own, and those below child proxies. Every turn
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
  /** `own`: each of our accounts, with its form for pooling. */
  pooled(
    own: readonly (readonly [AccountRecord, PooledAccount])[],
    children: readonly Child[],
    view: QuotaView,
  ): readonly PooledAccount[];
}

/** An account in the pool. An account that occurs twice is recognised by its identity. */
interface TreeAccount {
  readonly identity: string | undefined;
  readonly quota: Quota;
  readonly as: PooledAccount;
}

interface ReportEntries {
  readonly entries: readonly (TreeAccount & { readonly key: string })[];
  /** Until when they stay valid, Unix ms. */
  readonly goodUntilMs: number;
}

export function createTree(): Tree {
  const kept = new WeakMap<ChildReport, ReportEntries>();
  const marks = new WeakMap<AccountRecord, { readonly of: string; readonly mark: string | undefined }>();

  const entriesOf = (report: ChildReport, view: QuotaView): ReportEntries["entries"] => {
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
      const ours = own.map(
        ([record, as]): TreeAccount => ({ identity: markOf(record), quota: record.quota, as }),
      );
      const reported = children.flatMap((child) => {
        const report = child.report(view);
        const entries = report === undefined ? [] : entriesOf(report, view);
        const { health } = child.record;
        // The child's refusal is newer than its report about its accounts.
        return isLimited(health, view.nowMs)
          ? entries.map((entry) => ({ ...entry, as: { ...entry.as, health } }))
          : entries;
      });
      const theirs = distinct(reported, ({ key }) => key);
      return [
        ...newestOfEach([...ours, ...theirs]).map(({ as }) => as),
        ...children.flatMap((child) => unknownOf(child, view)),
      ];
    },
  };
}

// --- internal ---

function entryOf(account: RemoteAccount, view: QuotaView): TreeAccount & { readonly key: string } {
  const { key, identity, quota } = account;
  return { key, identity, quota, as: pooledRemote(account, view) };
}

/** A child without a valid report counts as one unknown account. A child that refuses this proxy counts as none. */
function unknownOf(child: Child, view: QuotaView): readonly PooledAccount[] {
  const observation = child.observation();
  if (child.report(view) !== undefined || (observation.kind === "lost" && observation.fault === "refused"))
    return [];
  return [{ health: child.record.health, quota: UNKNOWN_QUOTA, summary: NO_SUMMARY }];
}

function isLimited(health: Health, nowMs: number): boolean {
  const now = healthAt(health, nowMs);
  return now.kind === "cooling" && now.cause === "limit";
}
