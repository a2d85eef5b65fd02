// The interface of everything we can send to. An enrolled account is one kind; a child proxy will be another.

import type { Renewal } from "../auth/refresh.ts";
import type { Scope, Verdict } from "../core/verdict.ts";

/** The client's request as far as an upstream needs it; headers are already stripped of what is the client's own. */
export interface Outgoing {
  readonly method: string;
  /** Path as the client sent it. */
  readonly path: string;
  /** Query with its `?`, or "". */
  readonly search: string;
  readonly headers: Headers;
}

/** Where to send it and as whom; or why this upstream cannot take it now. */
export type Prepared =
  | {
      readonly kind: "ready";
      readonly url: string;
      readonly headers: Headers;
      /** The access token in `headers`, for `renew`. */
      readonly token: string;
    }
  | { readonly kind: "unready"; readonly verdict: Verdict; readonly why: string };

export interface Upstream {
  readonly id: string;
  /** How people call it: an account's alias. */
  readonly label: string;
  /** What a failure on `path` speaks about. */
  scope(path: string): Scope;
  prepare(outgoing: Outgoing): Promise<Prepared>;
  /** New credentials in place of those with `usedToken`. Never throws. */
  renew(usedToken: string): Promise<Renewal>;
  /** New credentials before those that are there run out; undefined when that is not due. Never throws. */
  renewAhead(): Promise<Renewal | undefined>;
  /** Drops what is remembered of the credentials: they were replaced on disk. */
  forget(): void;
}
