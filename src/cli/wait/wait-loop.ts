// The loop of a wait: looks at the known reset, and four times a minute before it, because an account may be back
// earlier.

import type { Clock } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import type { WaitState } from "./wait-target.ts";

export type WaitOutcome =
  | Extract<WaitState, { kind: "done" | "never" }>
  /** `state`: what it still waited for. */
  | { readonly kind: "timeout"; readonly state: WaitState & { kind: "wait" } }
  | { readonly kind: "interrupted" };

export interface WaitContext {
  readonly clock: Clock;
  /** Looks whether the wait is over. Throws `proxy_unreachable`. */
  readonly look: () => Promise<WaitState>;
  /** The maximum wait, ms; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** Waits; resolves early if the wait is interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly isInterrupted: () => boolean;
  /** Called after each look that does not end the wait. */
  readonly waits: (state: WaitState & { kind: "wait" }) => void;
}

/** The time between two looks. */
export const LOOK_MS = 15_000;

/** Waits. Throws what the first look throws; later the proxy may be restarting. */
export async function waitFor(context: WaitContext): Promise<WaitOutcome> {
  const { clock, look, timeoutMs, sleep, isInterrupted, waits } = context;
  const beganAt = clock.monotonic();
  let state = await look();
  for (;;) {
    if (isInterrupted()) return { kind: "interrupted" };
    if (state.kind !== "wait") return state;
    waits(state);
    const leftMs =
      timeoutMs === undefined ? Number.POSITIVE_INFINITY : timeoutMs - (clock.monotonic() - beganAt);
    if (leftMs <= 0) return { kind: "timeout", state };
    await sleep(Math.min(LOOK_MS, leftMs, untilBack(state, clock.now())));
    try {
      state = await look();
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
  }
}

// --- internal ---

/** True if the proxy cannot be reached now: it may be restarting. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof CodexlbError && (error.code === "proxy_unreachable" || error.code === "shutting_down")
  );
}

/** The proxy's clock may be a little behind. */
const GRACE_MS = 500;

/** The time until the known reset, ms. */
function untilBack({ back }: WaitState & { kind: "wait" }, nowMs: number): number {
  const leftMs = back === undefined ? LOOK_MS : back.atMs - nowMs;
  return leftMs <= 0 ? GRACE_MS : leftMs + GRACE_MS;
}
