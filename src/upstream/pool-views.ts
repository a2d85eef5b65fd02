// Views of the pool for other parts of the program: its figures as if it were one account, its state for the status,
// and explanations of its choices.

import { identityOf, workspacesToShow } from "../auth/identity.ts";
import { NO_OPTIONS } from "../core/account-options.ts";
import { allowsTags, hasTag, type TagDemand } from "../core/account-tags.ts";
import { absenceOf, availabilityFor } from "../core/availability.ts";
import type { CapacityView } from "../core/capacity.ts";
import { explanationOf, type PoolExplanation } from "../core/explain.ts";
import type { Hop } from "../core/hops.ts";
import type { LimitName } from "../core/meters.ts";
import type { WatchedChild, WatchedPool } from "../core/notify/trouble.ts";
import type { PolicySettings } from "../core/policy.ts";
import type { PoolFacts, PoolOutline } from "../core/pool-facts.ts";
import { type PooledUsage, pooledUsage } from "../core/pooled.ts";
import type { RunSeen } from "../core/run-tag.ts";
import type { Clock } from "../deps.ts";
import type { StoreState } from "../state/store-state.ts";
import { accountFacts } from "./account-facts.ts";
import type { Affinity } from "./affinity.ts";
import type { Child } from "./child.ts";
import type { Members } from "./members.ts";
import type { Placement } from "./placement.ts";
import { type PooledMembers, pooledAccountOf, type Roster } from "./roster.ts";
import { type Shortage, shortageOf } from "./shortage.ts";
import type { Switches } from "./switches.ts";
import { createTree } from "./tree.ts";

export interface PoolViews {
  /** The pool without its accounts' state. */
  outline(): PoolOutline;
  facts(): PoolFacts;
  /** The pool as the notifications see it. */
  watched(): WatchedPool;
  /** The pool's figures as Codex gets them now. */
  usage(): PooledUsage;
  /**
   * Explains which upstream would get the next turn (of `session`, of which the beginning of the id is enough, for
   * `model`, of a run with `tags`).
   */
  explain(
    session: string | undefined,
    model: string | undefined,
    tags?: readonly TagDemand[],
  ): PoolExplanation;
  /** Why this upstream would not take the next turn of a run that is pinned to it; undefined if it would. */
  absence(upstreamId: string): RunSeen["absence"];
  /**
   * True if an upstream serves new sessions, perhaps only after a cooldown or a reset: neither disabled nor draining.
   */
  hasServing(): boolean;
  /** Why no upstream can serve `session`, or `model`, or requests with these tags of their run and their key. */
  shortage(session: string | undefined, model?: string, tags?: readonly TagDemand[]): Shortage;
  /** How many accounts have a tag of each of the demands. */
  taggedCount(demands: readonly TagDemand[]): number;
}

export interface PoolViewsContext {
  readonly clock: Clock;
  readonly state: StoreState;
  readonly members: Members;
  readonly roster: Roster;
  readonly affinity: Pick<Affinity, "sessionCounts" | "fullId">;
  readonly switches: Pick<Switches, "latest">;
  readonly placement: Pick<Placement, "contextOf" | "next" | "isNextFull">;
  readonly policy: () => PolicySettings;
  /** This proxy. */
  readonly self: () => Hop;
  readonly capacityView: (model: string | undefined) => CapacityView;
}

/** The pooled figures of a thousand accounts may be ten milliseconds old; those of a few are computed each time. */
const ACCOUNTS_PER_MS_OF_AGE = 100;

export function createPoolViews(context: PoolViewsContext): PoolViews {
  const { clock, state, members, roster, affinity, switches, placement, policy, self, capacityView } =
    context;
  const tree = createTree();
  let usage: KnownUsage | undefined;

  const pooledMembers = (now: CapacityView): PooledMembers => {
    const children = members.children().map(({ upstream }) => upstream);
    // Accounts are compared with each other only if child proxies may have the same ones.
    if (children.length === 0) return roster.pooled(now);
    const own = members.accounts().map((member) => [member.record, pooledAccountOf(member, now)] as const);
    return { accounts: tree.pooled(own, children, now), version: undefined };
  };

  const outlineAt = (now: CapacityView): PoolOutline => {
    const next = placement.next();
    return {
      self: self(),
      policy: policy(),
      accounts: state.accounts,
      children: members.children().flatMap(({ record, upstream }) => {
        const candidate = roster.candidate(record.id, now);
        return candidate === undefined ? [] : [{ ...upstream.facts(now), candidate }];
      }),
      activeId: state.activeId,
      pinnedId: state.pinnedId,
      next: next === undefined ? undefined : { id: next.id, reason: next.reason },
      isFull: next === undefined && placement.isNextFull(),
      messageCounter: state.messageCounter,
      lastRotationMs: state.lastRotationMs,
    };
  };

  const usageNow = (): PooledUsage => {
    const mostAgeMs = Math.floor(members.all().length / ACCOUNTS_PER_MS_OF_AGE);
    if (usage !== undefined && clock.monotonic() - usage.atMs < mostAgeMs) return usage.value;
    const now = capacityView(undefined);
    const { accounts, version } = pooledMembers(now);
    // The figures of an exhausted pool change with the time until its first reset.
    const known = version !== undefined && usage?.version === version ? usage.value : undefined;
    const value = known?.main.reached === false ? known : pooledUsage(accounts, now, now.useCredits);
    usage = { value, version, atMs: clock.monotonic() };
    return value;
  };

  return {
    outline: () => outlineAt(capacityView(undefined)),
    facts: () => {
      const now = capacityView(undefined);
      const workspaces = workspacesToShow(state.accounts.map(identityOf));
      const sessions = affinity.sessionCounts();
      const accounts = members.accounts().flatMap(({ record }) => {
        const candidate = roster.candidate(record.id, now);
        if (candidate === undefined) return [];
        const workspace = workspaces.get(record.alias);
        return [accountFacts(record, candidate, workspace, sessions.get(record.id) ?? 0)];
      });
      return { ...outlineAt(now), accounts, switches: switches.latest() };
    },
    watched: () => {
      const now = capacityView(undefined);
      return {
        accounts: members.accounts().flatMap(({ record }) => {
          const candidate = roster.candidate(record.id, now);
          return candidate === undefined
            ? []
            : [{ alias: record.alias, candidate, redeemedMs: record.autoRedeems?.redeemedMs }];
        }),
        children: members.children().flatMap(({ record, upstream }) => {
          const candidate = roster.candidate(record.id, now);
          const presence = presenceOf(upstream, now);
          return candidate === undefined ? [] : [{ name: upstream.label, candidate, presence }];
        }),
        main: usageNow().main,
      };
    },
    usage: usageNow,
    explain: (start, model, tags) => {
      const session = start === undefined ? undefined : affinity.fullId(start);
      const now = capacityView(model);
      const explained = members.all().map((member) => ({
        id: member.record.id,
        alias: member.upstream.label,
        limit: nameOf(member.upstream.ownLimit(now)),
      }));
      const how = placement.contextOf(session, model, tags);
      return explanationOf(explained, roster.candidates(now), how, { session, model });
    },
    absence: (upstreamId) => {
      const candidate = roster.candidate(upstreamId, capacityView(undefined));
      const pinned = { ...placement.contextOf(undefined), pinnedId: upstreamId };
      return candidate && absenceOf(availabilityFor(candidate, pinned));
    },
    hasServing: () => {
      const needs = placement.contextOf(undefined);
      return roster.candidates(capacityView(undefined)).some((candidate) => {
        const availability = availabilityFor(candidate, needs);
        return availability !== "disabled" && availability !== "draining";
      });
    },
    taggedCount: (demands) =>
      roster
        .candidates(capacityView(undefined))
        .filter(({ options }) => demands.every(({ tags }) => hasTag(options, tags))).length,
    shortage: (session, model, demands) => {
      const { readers, offering, tags } = placement.contextOf(session, model, demands);
      const now = capacityView(model);
      const all = roster.candidates(now).flatMap((candidate, index) => {
        const member = members.all()[index];
        if (member === undefined || readers?.has(candidate.id) === false) return [];
        if (offering?.has(candidate.id) === false || !allowsTags(candidate.options, tags)) return [];
        const { kind, label } = member.upstream;
        const fileOptions = now.fileOptions[label.toLowerCase()] ?? NO_OPTIONS;
        return [{ kind, label, candidate, fileOptions }];
      });
      const limitId = members
        .all()
        .map(({ upstream }) => upstream.ownLimit(now)?.id)
        .find((id) => id !== undefined);
      return {
        ...shortageOf(all, now.nowMs),
        limitId,
        model: offering === undefined ? undefined : model,
        unpriced:
          model !== undefined && members.accounts().some((one) => one.isPaid && one.upstream.refuses(model))
            ? model
            : undefined,
        requiredTags: tags.required,
      };
    },
  };
}

// --- internal ---

interface KnownUsage {
  readonly value: PooledUsage;
  /** The version of the members that it was computed from. */
  readonly version: number | undefined;
  /** Monotonic ms. */
  readonly atMs: number;
}

function presenceOf(child: Child, view: CapacityView): WatchedChild["presence"] {
  const { kind } = child.observation();
  // While its last report is still valid, a child that did not answer may only be restarting.
  return kind === "seen" && child.report(view) === undefined ? "unseen" : kind;
}

function nameOf(limit: LimitName | undefined): string | undefined {
  return limit && (limit.name ?? limit.id);
}
