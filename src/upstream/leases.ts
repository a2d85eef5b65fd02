// Leases of upstreams to requests. A lease reports the results of its request to the ledger, and counts as in flight
// until it is released.

import type { Choice } from "../core/policy.ts";
import type { QuotaEvidence } from "../core/quota.ts";
import type { TokenCounts } from "../core/turn-record.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Clock } from "../deps.ts";
import type { EventFields } from "../state/events.ts";
import { beginTurn, beginUse, endTurn, endUse } from "../state/record-changes.ts";
import type { Affinity } from "./affinity.ts";
import type { BriefMemory } from "./brief-memory.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";
import type { Placement, PlacementRequest } from "./placement.ts";
import type { PoolObserver } from "./pool-observer.ts";
import type { Upstream } from "./upstream.ts";

export interface PickRequest extends PlacementRequest {
  /** Identifies the request in the events of this use. */
  readonly requestId: number;
  /** The size of the turn; undefined for a request that is not a turn. */
  readonly bytes?: number | undefined;
}

/** One use of one upstream. Settle it whenever a reply or event was judged; release it when the use ends. */
export interface Lease {
  readonly upstream: Upstream;
  readonly choice: Choice;
  readonly startedMs: number;
  /** Applies the verdict on a reply or event. */
  settle(verdict: Verdict, about?: UseDetails): void;
  /** Merges figures from a reply or event. */
  learn(evidence: QuotaEvidence): void;
  /** The upstream reported the tokens of the turn. `model`: the one that served it, if the response names it. */
  used(tokens: TokenCounts, model: string | undefined): void;
  /** Binds the session to this upstream, because from now on only this upstream can decrypt its history. */
  hold(): void;
  /** Binds `session`, which this use has opened, to this upstream. */
  bind(session: string): void;
  /** True if another upstream has room for the session. */
  canLeave(): boolean;
  /**
   * Records that the response broke off after its first output. This does not count as a failure of the upstream, but
   * the session's next try avoids it.
   */
  broke(): void;
  release(): void;
}

export interface UseDetails {
  /** True for a turn, which counts as a message. Default false. */
  readonly turn?: boolean;
  /** Only this upstream can decrypt the session's history, so the session stays with it. Default false. */
  readonly held?: boolean;
  /** When this part of the use began, Unix ms. Default: when the lease began. */
  readonly startedMs?: number;
  /** Fields for the events. */
  readonly fields?: EventFields;
}

/** A request that uses an upstream now. */
export interface LiveUse {
  readonly requestId: number;
  readonly upstreamId: string;
  /** Alias or name. */
  readonly label: string;
  readonly session: string | undefined;
  readonly model: string | undefined;
  /** Unix ms. */
  readonly startedMs: number;
}

export interface Leases {
  /** Counts a use of `entry`, which was chosen for `request` because of `choice`. */
  give(entry: LedgerEntry, choice: Choice, request: PickRequest): Lease;
  /** How many leases have not been released yet. */
  count(): number;
  /** The leases that have not been released yet, oldest first. */
  live(): readonly LiveUse[];
}

export interface LeasesContext {
  readonly clock: Clock;
  readonly affinity: Affinity;
  /** The upstreams on which the last response of a session broke off; its next try avoids them. */
  readonly detours: BriefMemory;
  /**
   * The first upstream that failed a session's turn which no upstream has served yet. The turn may end on another
   * connection: Codex reconnects if it must send the whole history.
   */
  readonly failures: BriefMemory;
  readonly ledger: Ledger;
  readonly placement: Pick<Placement, "canLeave">;
  /** The number of turns on an upstream has changed. Undefined if the proxy works alone. */
  readonly turnsChanged: PoolObserver["turnsChanged"] | undefined;
  /** Called when a lease of a turn has been released. */
  readonly turnEnded: () => void;
}

export function createLeases(context: LeasesContext): Leases {
  const { clock, affinity, detours, failures, ledger, placement, turnsChanged, turnEnded } = context;
  const live = new Set<LiveUse>();
  return {
    give: (entry, choice, request) => {
      const { record, upstream } = entry;
      let isReleased = false;
      const isTurn = request.bytes !== undefined;
      if (isTurn) {
        beginTurn(record);
        turnsChanged?.(record);
      } else beginUse(record);
      const startedMs = clock.now();
      const { requestId, session, model, bytes } = request;
      const meter = bytes === undefined ? undefined : upstream.meter({ model, bytes });
      const [failedId = choice.failedId ?? failures.of(session)] = request.tried;
      const { id: upstreamId, label } = upstream;
      const use: LiveUse = { requestId, upstreamId, label, session, model, startedMs };
      live.add(use);
      return {
        upstream,
        choice: { ...choice, failedId },
        startedMs,
        settle: (verdict, about = {}) => {
          const { turn = false, held = false, fields = {} } = about;
          ledger.settle(entry, verdict, {
            session: request.session,
            model: request.model,
            pinned: request.pinnedId !== undefined,
            reason: choice.reason,
            failedId,
            leavesFull: choice.leavesFull === true,
            startedMs: about.startedMs ?? startedMs,
            turn,
            held,
            fields: { ...fields, req_id: request.requestId },
          });
          upstream.noteVerdict(verdict);
          if (verdict.kind === "ok") meter?.served();
          if (verdict.kind === "ok" && turn) for (const memory of [detours, failures]) memory.end(session);
          if (request.spends && FAILURES.has(verdict.kind)) failures.begin(session, failedId ?? record.id);
        },
        learn: (evidence) => ledger.learn(record, evidence),
        used: (tokens, model) => meter?.used(tokens, model),
        hold: () => {
          if (request.session !== undefined) affinity.bind(request.session, record.id, true);
        },
        bind: (session) => affinity.bind(session, record.id),
        canLeave: () => placement.canLeave(record.id, request),
        broke: () => {
          detours.begin(session, record.id);
          failures.begin(session, failedId ?? record.id);
        },
        release: () => {
          if (isReleased) return;
          isReleased = true;
          meter?.end();
          live.delete(use);
          if (!isTurn) return endUse(record);
          endTurn(record);
          turnsChanged?.(record);
          turnEnded();
        },
      };
    },
    count: () => live.size,
    live: () => [...live],
  };
}

// --- internal ---

/** The verdicts after which another upstream may serve the turn. */
const FAILURES: ReadonlySet<Verdict["kind"]> = new Set(["limit", "cool", "disable", "elsewhere"]);
