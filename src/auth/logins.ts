// Logging an account in on the machine of the proxy, for somebody who watches from elsewhere.

import type { CodexlbError } from "../errors.ts";

export type LoginEnd =
  | { readonly kind: "registered"; readonly total: number }
  /** `exitCode`: of codex, or 1 when it was not codex that failed. */
  | { readonly kind: "failed"; readonly exitCode: number; readonly error: CodexlbError };

export interface LoginRequest {
  readonly alias: string;
  /** Arguments of `codex login`; none means the device flow. */
  readonly args: readonly string[];
  readonly replace: boolean;
  /** Gets what codex says, both of its outputs. */
  readonly output: (chunk: Uint8Array) => void;
  /** Ends the login. */
  readonly signal: AbortSignal;
}

export interface Logins {
  /** Throws what is wrong with a request before anything is done: `invalid_alias`, `invalid_request`, `codex_not_found`. */
  check(request: Pick<LoginRequest, "alias" | "args">): void;
  /** Never throws. */
  run(request: LoginRequest): Promise<LoginEnd>;
  /** Ends all that are under way: the proxy stops. */
  stop(): void;
}
