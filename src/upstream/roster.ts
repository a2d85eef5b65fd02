// The members of the pool as candidates. The values computed from a member are kept with the revisions of its record,
// and computed again only if the member has changed, so idle accounts cost a request almost nothing.

import type { AccountOptions } from "../core/account-options.ts";
import { type Candidate, candidateOf } from "../core/availability.ts";
import { type Capacity, type CapacityView, usableWindows } from "../core/capacity.ts";
import { healthAt, healthOnOwnLimit } from "../core/health.ts";
import type { PooledAccount } from "../core/pooled-limits.ts";
import type { QuotaSummary } from "../core/quota-summary.ts";
import type { UpstreamRecord } from "../state/account-record.ts";
import { collectChanges } from "../state/record-writes.ts";
import type { Upstream } from "./upstream.ts";

export interface Member {
  readonly record: UpstreamRecord;
  readonly upstream: Upstream;
  /** The values last computed from the record and the upstream. */
  judgement: Judgement | undefined;
}

/** The values computed from a member, and the revisions and settings that they were computed from. */
interface Judgement {
  readonly revision: number;
  readonly figuresRevision: number;
  readonly settings: JudgementSettings;
  /** Until when it stays valid if nothing changes, Unix ms. */
  readonly goodUntilMs: number;
  readonly capacity: Capacity;
  readonly candidate: Candidate;
  readonly pooled: PooledAccount;
}

/** The settings that a judgement depends on. */
type JudgementSettings = Pick<
  CapacityView,
  "weights" | "ttlMs" | "useCredits" | "spendFloors" | "fileOptions"
>;

export interface Roster {
  /** Replaces the members. */
  set(members: readonly Member[]): void;
  /** The members as candidates, in their order. Usually the same array every time, updated in place. */
  candidates(view: CapacityView): readonly Candidate[];
  /** One of the candidates; undefined if there is no such member. */
  candidate(id: string, view: CapacityView): Candidate | undefined;
  pooled(view: CapacityView): PooledMembers;
}

export interface PooledMembers {
  /** The members as pooling sees them, in their order; updated in place. */
  readonly accounts: readonly PooledAccount[];
  /** Changes whenever results computed from `accounts` may change. Undefined: time alone may change them. */
  readonly version: number | undefined;
}

export function createRoster(): Roster {
  const changed = new Set<UpstreamRecord>();
  const indexes = new Map<string, number>();
  const current: Candidate[] = [];
  const pooled: PooledAccount[] = [];
  let pooledVersion = 0;
  /** The indexes of the members for which a limit other than the main one may count. */
  const withOwnLimits = new Set<number>();
  let members: readonly Member[] = [];
  let settings: JudgementSettings | undefined;
  /** Until when all of `current` stays valid if nothing changes, Unix ms. */
  let goodUntilMs = 0;

  const put = (member: Member, index: number, view: CapacityView): void => {
    const judgement = judge(member, view);
    current[index] = judgement.candidate;
    if (pooled[index] !== judgement.pooled) {
      pooled[index] = judgement.pooled;
      pooledVersion++;
    }
    if (judgement.capacity.hasOwnLimits) withOwnLimits.add(index);
    else withOwnLimits.delete(index);
    goodUntilMs = Math.min(goodUntilMs, judgement.goodUntilMs);
  };

  const byMainLimit = (view: CapacityView): readonly Candidate[] => {
    if (settings === undefined || !isSameSettings(settings, view) || goodUntilMs <= view.nowMs) {
      goodUntilMs = Number.POSITIVE_INFINITY;
      current.length = members.length;
      pooled.length = members.length;
      withOwnLimits.clear();
      members.forEach((member, index) => {
        put(member, index, view);
      });
      settings = view;
    } else
      for (const { id } of changed) {
        const index = indexes.get(id);
        const member = index === undefined ? undefined : members[index];
        if (index !== undefined && member !== undefined) put(member, index, view);
      }
    changed.clear();
    return current;
  };

  return {
    set: (now) => {
      members = now;
      settings = undefined;
      pooledVersion++;
      indexes.clear();
      members.forEach(({ record }, index) => {
        indexes.set(record.id, index);
        collectChanges(record, changed);
      });
    },
    candidates: (view) => {
      const all = byMainLimit(view);
      if (view.model === undefined || withOwnLimits.size === 0) return all;
      const patched = [...all];
      for (const index of withOwnLimits) {
        const member = members[index];
        if (member !== undefined && hasOwnLimit(member, view))
          patched[index] = candidateOnOwnLimit(member, view);
      }
      return patched;
    },
    candidate: (id, view) => {
      const index = indexes.get(id);
      const member = index === undefined ? undefined : members[index];
      if (index === undefined || member === undefined) return undefined;
      return hasOwnLimit(member, view) ? candidateOnOwnLimit(member, view) : byMainLimit(view)[index];
    },
    pooled: (view) => {
      byMainLimit(view);
      // The roster does not notice when the figures of limits other than the main one become too old.
      return { accounts: pooled, version: withOwnLimits.size > 0 ? undefined : pooledVersion };
    },
  };
}

/** The member as pooling sees it now. */
export function pooledAccountOf(member: Member, view: CapacityView): PooledAccount {
  return judge(member, view).pooled;
}

// --- internal ---

/** The capacity and the candidate of the member under its main limit. */
function judge(member: Member, view: CapacityView): Judgement {
  const { judgement, record } = member;
  const isValid = judgement !== undefined && isSameSettings(judgement.settings, view);
  const isInTime = isValid && judgement.goodUntilMs > view.nowMs;
  if (isInTime && judgement.revision === record.revision) return judgement;
  const { figuresRevision, revision } = record;
  const hasCapacity =
    isValid &&
    judgement.figuresRevision === figuresRevision &&
    judgement.capacity.summary.goodUntilMs > view.nowMs;
  const capacity = hasCapacity
    ? judgement.capacity
    : member.upstream.capacity(view.model === undefined ? view : { ...view, model: undefined });
  const options = hasCapacity ? judgement.candidate.options : member.upstream.options(view);
  const health = healthAt(record.health, view.nowMs);
  const untilMs = capacity.summary.goodUntilMs;
  member.judgement = {
    revision,
    figuresRevision,
    settings: view,
    goodUntilMs: health.kind === "cooling" ? Math.min(health.untilMs, untilMs) : untilMs,
    capacity,
    candidate: candidateOf(record, capacity, health, options),
    pooled:
      isInTime && hasCapacity && judgement.pooled.health === record.health && !capacity.hasOwnLimits
        ? judgement.pooled // only times in the quota can differ
        : { health: record.health, quota: record.quota, summary: usableSummary(capacity, options, view) },
  };
  return member.judgement;
}

function usableSummary(
  { summary }: Capacity,
  options: AccountOptions,
  { spendFloors }: CapacityView,
): QuotaSummary {
  const windows = usableWindows(summary.windows, options, spendFloors);
  return windows === summary.windows ? summary : { ...summary, windows };
}

function candidateOnOwnLimit({ record, upstream }: Member, view: CapacityView): Candidate {
  const health = healthOnOwnLimit(healthAt(record.health, view.nowMs));
  return candidateOf(record, upstream.capacity(view), health, upstream.options(view));
}

/** True when a limit other than the main one counts for `view.model`. */
function hasOwnLimit({ upstream }: Member, view: CapacityView): boolean {
  return view.model !== undefined && upstream.ownLimit(view) !== undefined;
}

function isSameSettings(a: JudgementSettings, b: JudgementSettings): boolean {
  return (
    a.weights === b.weights &&
    a.ttlMs === b.ttlMs &&
    a.useCredits === b.useCredits &&
    a.spendFloors === b.spendFloors &&
    a.fileOptions === b.fileOptions
  );
}
