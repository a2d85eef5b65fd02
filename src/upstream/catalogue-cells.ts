// Which upstream has which catalogue, for one version of Codex. In a large pool the accounts of a plan share a
// catalogue, so that a thousand accounts are not a thousand requests.

import type { Body } from "./catalogue-bodies.ts";
import type { LiveState, Upstream } from "./upstream.ts";

/** An upstream in service. */
export interface ServingMember {
  readonly upstream: Upstream;
  readonly record: Pick<LiveState, "id" | "quota">;
}

/** The catalogue of one upstream, or of the accounts that share it. */
export interface Cell {
  body: Body | undefined;
  /** The `ETag` of `body`. */
  etag: string | undefined;
  /** The request under way. */
  asking: Promise<void> | undefined;
  /** When it may be asked for again, monotonic ms. */
  dueMs: number;
  /** Failures since the last success. */
  failures: number;
  /** The backend has another one. */
  isOutdated: boolean;
  /** The version that a turn named when it was last found outdated, and when that was, monotonic ms. */
  named: string | undefined;
  namedMs: number;
  isShared: boolean;
}

export interface Cells {
  /** The cell of `member`, one of `members`, which gets one if it has none. */
  of(member: ServingMember, members: readonly ServingMember[]): Cell;
  get(upstreamId: string): Cell | undefined;
  /** The upstream to ask for a cell of which `first` is the first member: that one, and after each failure the next. */
  asked(cell: Cell, first: ServingMember, members: readonly ServingMember[]): Upstream;
  /** `member` has another catalogue than those that it shares a cell with. It gets its plan's cell, or its own. */
  split(member: ServingMember): void;
  /** Forgets the upstreams that are not among `members`. */
  keepOnly(members: readonly ServingMember[]): void;
  /** The bodies of all cells. */
  bodies(): Iterable<Body>;
}

/** Up to this many upstreams have a cell each. */
const MOST_OWN = 64;

export function createCells(): Cells {
  const byId = new Map<string, Cell>();
  /** The first cell of each plan. */
  const byPlan = new Map<string, Cell>();

  const assign = (member: ServingMember, shared: Cell | undefined, fresh: Cell): Cell => {
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
      // Until it has answered, its catalogue is the old one.
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

function newCell(): Cell {
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

function* bodiesOf(cells: Iterable<Cell>): Generator<Body> {
  for (const { body } of cells) if (body !== undefined) yield body;
}
