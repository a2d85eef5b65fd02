// The interface of an upstream: an enrolled account or a child proxy.

import type { Renewal } from "../auth/refresh.ts";
import type { AccountOptions } from "../core/account-options.ts";
import type { Capacity, CapacityView } from "../core/capacity.ts";
import type { Failure } from "../core/failure.ts";
import type { Hop } from "../core/hops.ts";
import type { LimitName } from "../core/meters.ts";
import type { TokenCounts } from "../core/turn-record.ts";
import type { Scope, Verdict } from "../core/verdict.ts";
import type { Egress } from "../network/egress.ts";
import type { EventFields } from "../state/events.ts";

/**
 * The parts of the client's request that an upstream needs. The headers no longer contain the client's own credentials.
 */
export interface OutgoingRequest {
  readonly method: string;
  /** The path as the client sent it. */
  readonly path: string;
  /** Query with its `?`, or "". */
  readonly search: string;
  /** The upstream adds its own headers. */
  readonly headers: Headers;
  /** The proxies that the request has passed, this one last. */
  readonly hops: readonly Hop[];
  /** How many passing failures are still allowed. */
  readonly attemptsLeft: number;
}

/** A request in the form in which it is sent to one upstream. */
export interface PreparedRequest {
  readonly kind: "ready";
  readonly url: string;
  readonly headers: Headers;
  /** The egress for the connection to `url`. */
  readonly egress: Egress;
  /** False once a new connection to `url` would use another HTTP proxy. */
  isEgressCurrent(): boolean;
  /** The access token in `headers`, for `renew`. */
  readonly token: string;
  /** True if the upstream does not take compressed bodies. Default false. */
  readonly plainBody?: boolean;
}

/** Counts the cost of one turn on an upstream that is paid by the token. */
export interface TurnMeter {
  /** The upstream serves the turn, so it costs the estimate until its tokens are known. */
  served(): void;
  /** The upstream reported these tokens. `model`: the one that served the turn, if the response names it. */
  used(tokens: TokenCounts, model: string | undefined): void;
  /** The turn is over, so its reservation ends. */
  end(): void;
}

/** The prepared request, or why the upstream cannot take it now. */
export type PrepareResult =
  | PreparedRequest
  | { readonly kind: "unready"; readonly verdict: Verdict; readonly why: string };

export interface Upstream {
  readonly id: string;
  /** Its name for users: an account's alias, or a proxy's name. */
  readonly label: string;
  /** Its kind, as in events and messages. */
  readonly kind: "account" | "child_proxy";
  /** The event fields that identify it. */
  readonly named: EventFields;
  /** The name of the server behind it, for messages. */
  readonly where: string;
  /** Statuses below 500 after which a request outside the turn paths may be sent to another upstream. */
  readonly failsOver: ReadonlySet<number>;
  /** The verdict on a failure that it reported. */
  judge(failure: Failure, scope: Scope): Verdict;
  /** Its capacity, which depends only on the figures and options of its record, the view, and the time. */
  capacity(view: CapacityView): Capacity;
  /** What the user has set for it: in config.toml, or else with `codexlb account set`. */
  options(view: Pick<CapacityView, "fileOptions">): AccountOptions;
  /** The limit that counts for `view.model`; undefined if it is the main one. */
  ownLimit(view: CapacityView): LimitName | undefined;
  /** True if the upstream never serves `model`, whatever its catalogue says. */
  refuses(model: string): boolean;
  /** Reserves what a turn may cost; undefined if turns cost nothing. `bytes`: the size of its request. */
  meter(turn: { readonly model: string | undefined; readonly bytes: number }): TurnMeter | undefined;
  /** The longest silence of a response, ms. `configuredMs` is the one in the settings. */
  patienceMs(configuredMs: number): number;
  prepare(outgoing: OutgoingRequest): Promise<PrepareResult>;
  /** Called with the verdict on each use. */
  noteVerdict(verdict: Verdict): void;
  /** Called when the upstream is disabled. Returns what the user can do about it. */
  retire(reason: string): string;
  /** Renews the credentials with `usedToken`. Never throws. */
  renew(usedToken: string): Promise<Renewal>;
}
