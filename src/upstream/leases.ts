// Uses of upstreams: what is learnt while one lasts goes to the books, and its end makes room for the next.

import type { Choice } from "../core/policy.ts";
import type { QuotaEvidence } from "../core/quota.ts";
import { rampAfter } from "../core/slow-start.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Clock } from "../deps.ts";
import type { EventFields } from "../state/events.ts";
import type { Affinity } from "./affinity.ts";
import type { Detours } from "./detours.ts";
import type { Ledger } from "./ledger.ts";
import type { Member, Roster } from "./members.ts";
import type { Placement, PlacementRequest } from "./placement.ts";
import type { Upstream } from "./upstream.ts";

export interface PickRequest extends PlacementRequest {
  /** Goes into the events of this use. */
  readonly requestId: number;
}

/** One use of one upstream. Settle it as often as something is learnt; release it exactly when the use ends. */
export interface Lease {
  readonly upstream: Upstream;
  readonly choice: Choice;
  readonly startedMs: number;
  /** Applies what a reply or event meant. */
  settle(verdict: Verdict, about?: AboutUse): void;
  /** Merges figures that traffic told. */
  learn(evidence: QuotaEvidence): void;
  /** The session's history holds something now that only this upstream can decrypt. */
  hold(): void;
  /** `session` was opened by this use, and lives with this upstream. */
  bind(session: string): void;
  /** True when another upstream has room and could go on with this. */
  canLeave(): boolean;
  /** Its answer broke off after its first output. Nobody is blamed, but the session's next try goes elsewhere. */
  broke(): void;
  release(): void;
}

export interface AboutUse {
  /** It was a turn, which counts as a message. Default false. */
  readonly turn?: boolean;
  /** Others could not decrypt the session's history, or nobody else will: it stays with this account. Default false. */
  readonly held?: boolean;
  /** When this part of the use began, Unix ms; default: when the lease was given. */
  readonly startedMs?: number;
  /** Go into the events. */
  readonly fields?: EventFields;
}

export interface Leases {
  /** Counts a use of `member`, which was chosen for `request` because of `choice`. */
  give(member: Member, choice: Choice, request: PickRequest): Lease;
  /** How many are not released. */
  count(): number;
}

export interface LeasesContext {
  readonly clock: Clock;
  readonly affinity: Affinity;
  readonly detours: Detours;
  readonly roster: Roster;
  readonly ledger: Ledger;
  readonly placement: Pick<Placement, "canLeave">;
  /** Runs what may change the health of a member, and keeps what follows from it in line. */
  readonly watched: (member: Member, change: () => void) => void;
}

export function createLeases(context: LeasesContext): Leases {
  const { clock, affinity, detours, roster, ledger, placement, watched } = context;
  let inFlight = 0;
  return {
    give: (member, choice, request) => {
      let isReleased = false;
      member.inFlight++;
      inFlight++;
      roster.touch(member);
      const startedMs = clock.now();
      return {
        upstream: member.upstream,
        choice,
        startedMs,
        settle: (verdict, about = {}) => {
          const { turn = false, held = false, fields = {} } = about;
          watched(member, () =>
            ledger.settle(member, verdict, {
              session: request.session,
              model: request.model,
              pinned: request.pinnedId !== undefined,
              reason: choice.reason,
              startedMs: about.startedMs ?? startedMs,
              turn,
              held,
              fields: { ...fields, req_id: request.requestId },
            }),
          );
          member.upstream.told(verdict);
          if (verdict.kind !== "ok" || !turn) return;
          member.ramp = rampAfter(member.ramp, "served");
          detours.end(request.session);
        },
        learn: (evidence) => watched(member, () => ledger.learn(member.record, evidence)),
        hold: () => {
          if (request.session !== undefined) affinity.bind(request.session, member.record.id, true);
        },
        bind: (session) => affinity.bind(session, member.record.id),
        canLeave: () => placement.canLeave(member.record.id, request),
        broke: () => detours.begin(request.session, member.record.id),
        release: () => {
          if (isReleased) return;
          isReleased = true;
          member.inFlight--;
          inFlight--;
          roster.touch(member);
        },
      };
    },
    count: () => inFlight,
  };
}
