// Maps upstreams to catalogues, for one version of Codex. In a large pool the accounts of a plan share one, so that a
// thousand accounts do not cause a thousand requests.

import type { UpstreamRecord } from "../state/account-record.ts";
import type { CatalogueBody } from "./catalogue-bodies.ts";
import type { Upstream } from "./upstream.ts";

/** An upstream in service. */
export interface ServingMember {
  readonly upstream: Upstream;
  readonly record: Pick<UpstreamRecord, "id" | "quota">;
}

/** The catalogue of one upstream, or of the accounts that share it. */
export interface CatalogueCell {
  body: CatalogueBody | undefined;
  /** The `ETag` of `body`. */
  etag: string | undefined;
  /** The pending request. */
  asking: Promise<void> | undefined;
  /** When it may be requested again, monotonic ms. */
  dueMs: number;
  /** Failures since the last success. */
  failures: number;
  /** True if the backend has a newer one. */
  isOutdated: boolean;
  /** The version in the turn that last showed the catalogue to be outdated, and the time, monotonic ms. */
  named: string | undefined;
  namedMs: number;
  isShared: boolean;
}

export interface CatalogueCells {
  /** The cell of `member`, one of `members`. Creates it if there is none. */
  of(member: ServingMember, members: readonly ServingMember[]): CatalogueCell;
  get(upstreamId: string): CatalogueCell | undefined;
  /** The upstream to ask for a cell whose first member is `first`: that one, and after each failure the next. */
  asked(cell: CatalogueCell, first: ServingMember, members: readonly ServingMember[]): Upstream;
  /** Moves a `member` whose catalogue differs from its cell's to the cell of its plan, or to its own. */
  split(member: ServingMember): void;
  /** Drops upstreams that are not in `members`. */
  keepOnly(members: readonly ServingMember[]): void;
  /** The bodies of all cells. */
  bodies(): Iterable<CatalogueBody>;
}

/** In pools up to this size, every upstream has its own cell. */
const MOST_OWN = 64;

export function createCatalogueCells(): CatalogueCells {
  const byId = new Map<string, CatalogueCell>();
  /** The first cell of each plan. */
  const byPlan = new Map<string, CatalogueCell>();

  const assign = (
    member: ServingMember,
    shared: CatalogueCell | undefined,
    fresh: CatalogueCell,
  ): CatalogueCell => {
    const cell = shared ?? fresh;
    if (shared !== undefined) shared.isShared = true;
    else if (!byPlan.has(planOf(member))) byPlan.set(planOf(member), cell);
    byId.set(member.record.id, cell);
    return cell;
  };

  return {
    of: (member, members) =>
      byId.get(member.record.id) ??
      assign(member, members.length > MOST_OWN ? byPlan.get(planOf(member)) : undefined, newCell()),
    get: (upstreamId) => byId.get(upstreamId),
    asked: (cell, first, members) => {
      if (!cell.isShared || cell.failures === 0) return first.upstream;
      const sharing = members.filter(({ record }) => byId.get(record.id) === cell);
      return (sharing[cell.failures % sharing.length] ?? first).upstream;
    },
    split: (member) => {
      const before = byId.get(member.record.id);
      const ofPlan = byPlan.get(planOf(member));
      // The old catalogue stays until the upstream has answered.
      const fresh = { ...newCell(), body: before?.body, etag: before?.etag, isOutdated: true };
      assign(member, ofPlan === before ? undefined : ofPlan, fresh);
    },
    keepOnly: (members) => {
      if (byId.size <= members.length) return;
      const ids = new Set(members.map(({ record }) => record.id));
      for (const id of byId.keys()) if (!ids.has(id)) byId.delete(id);
      const kept = new Set(byId.values());
      for (const [plan, cell] of byPlan) if (!kept.has(cell)) byPlan.delete(plan);
    },
    bodies: () => bodiesOf(byId.values()),
  };
}

// --- internal ---

function newCell(): CatalogueCell {
  return {
    body: undefined,
    etag: undefined,
    asking: undefined,
    dueMs: 0,
    failures: 0,
    isOutdated: false,
    named: undefined,
    namedMs: Number.NEGATIVE_INFINITY,
    isShared: false,
  };
}

/** Only accounts have plans. A child proxy never shares its catalogue. */
function planOf({ upstream, record }: ServingMember): string {
  return upstream.kind === "account" ? `plan ${record.quota.planType}` : upstream.id;
}

function* bodiesOf(cells: Iterable<CatalogueCell>): Generator<CatalogueBody> {
  for (const { body } of cells) if (body !== undefined) yield body;
}
