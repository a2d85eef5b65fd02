// Logins on the proxy's machine for a client elsewhere.

import type { CodexlbError } from "../errors.ts";

export type LoginEnd =
  | { readonly kind: "registered"; readonly total: number }
  /** `exitCode`: of codex, or 1 if something else failed. */
  | { readonly kind: "failed"; readonly exitCode: number; readonly error: CodexlbError };

export interface LoginRequest {
  readonly alias: string;
  /** Arguments of `codex login`; none means the device flow. */
  readonly args: readonly string[];
  readonly replace: boolean;
  /** Gets the standard output and standard error of codex. */
  readonly output: (chunk: Uint8Array) => void;
  /** Ends the login. */
  readonly signal: AbortSignal;
}

export interface Logins {
  /**
   * Checks a request before the login starts. Throws `invalid_alias`, `identity_differs`, `invalid_request`,
   * `codex_not_found`.
   */
  check(request: Pick<LoginRequest, "alias" | "args" | "replace">): Promise<void>;
  /** Never throws. */
  run(request: LoginRequest): Promise<LoginEnd>;
  /** Ends all running logins, because the proxy shuts down. */
  stop(): void;
}
