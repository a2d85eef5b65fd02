// Who may send the refresh token of a login, which works only once. A process that works alone always may; the replicas
// of a pool take turns (cluster/login-turns.ts).

export interface RenewalTurns {
  /**
   * Asks for the right to send the refresh token in `login`, the text of the auth.json in `homeDir`. Waits up to
   * `timeoutMs` for another process that has it. Never throws.
   */
  begin(homeDir: string, login: string, timeoutMs: number): Promise<RenewalTurn>;
}

export type RenewalTurn =
  /** The caller may send the token. It must call `end` once, after it has written the new login. `end` never throws. */
  | { readonly kind: "granted"; readonly end: (outcome: TurnOutcome) => Promise<void> }
  /** Another process has renewed or replaced the login, and the new one is in the home. */
  | { readonly kind: "replaced" }
  /** Another process has sent the token, and the login has ended. `reason`: that of the disablement. */
  | { readonly kind: "dead"; readonly reason: string; readonly why: string }
  /** A later attempt may succeed. */
  | { readonly kind: "failed"; readonly why: string };

/** `renewed`: `login` is the text of the new auth.json. `failed`: the login is unchanged. */
export type TurnOutcome =
  | { readonly kind: "renewed"; readonly login: string }
  | { readonly kind: "dead"; readonly reason: string }
  | { readonly kind: "failed" };

/** The turns of a process that works alone. */
export const ALONE: RenewalTurns = {
  begin: async () => ({ kind: "granted", end: async () => {} }),
};
