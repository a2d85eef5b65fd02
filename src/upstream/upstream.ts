// The interface of everything we can send to: an enrolled account, a child proxy.

import type { Renewal } from "../auth/refresh.ts";
import type { Capacity, CapacityView } from "../core/capacity.ts";
import type { Failure } from "../core/failure.ts";
import type { Hop } from "../core/hops.ts";
import type { LimitName } from "../core/meters.ts";
import type { Scope, Verdict } from "../core/verdict.ts";
import type { Egress } from "../network/egress.ts";
import type { EventFields } from "../state/events.ts";

/** The client's request as far as an upstream needs it; headers are already stripped of what is the client's own. */
export interface Outgoing {
  readonly method: string;
  /** Path as the client sent it. */
  readonly path: string;
  /** Query with its `?`, or "". */
  readonly search: string;
  readonly headers: Headers;
  /** The proxies that the request has passed, this one last. */
  readonly hops: readonly Hop[];
  /** How many passing failures it may still meet on its way. */
  readonly attemptsLeft: number;
}

/** A request ready to be sent; or why this upstream cannot take it now. */
export type Prepared =
  | {
      readonly kind: "ready";
      readonly url: string;
      readonly headers: Headers;
      /** The egress for the connection to `url`. */
      readonly egress: Egress;
      /** False once a new connection to `url` would use another HTTP proxy. */
      isEgressCurrent(): boolean;
      /** The access token in `headers`, for `renew`. */
      readonly token: string;
    }
  | { readonly kind: "unready"; readonly verdict: Verdict; readonly why: string };

export interface Upstream {
  readonly id: string;
  /** Its name for people: an account's alias, a proxy's name. */
  readonly label: string;
  /** Its kind, as events and messages name it. */
  readonly kind: "account" | "child_proxy";
  /** The fields that name it in an event. */
  readonly named: EventFields;
  /** What a message calls its other end. */
  readonly where: string;
  /** Statuses off the turn paths after which another upstream may do better, besides those of 500 and more. */
  readonly failsOver: ReadonlySet<number>;
  /** What a failure that it reported means for it. */
  judge(failure: Failure, scope: Scope): Verdict;
  /** What it can take. Changes only with the figures of its record, the view, and time. */
  capacity(view: CapacityView): Capacity;
  /** The limit that counts for `view.model`; undefined if it is the main one. */
  ownLimit(view: CapacityView): LimitName | undefined;
  /** The longest silence to wait for, ms. `configuredMs`: the one of the settings. */
  patienceMs(configuredMs: number): number;
  prepare(outgoing: Outgoing): Promise<Prepared>;
  /** A use of it was judged. */
  told(verdict: Verdict): void;
  /** It was taken out of service. Returns what the operator has to do about that. */
  retired(reason: string): string;
  /** New credentials in place of those with `usedToken`. Never throws. */
  renew(usedToken: string): Promise<Renewal>;
}
