// Restarts the service with a new executable, and returns to the previous one if that fails.

import { messageOf } from "../errors.ts";
import type { Replacement } from "./replace.ts";

export interface ActivationOptions {
  readonly replacement: Replacement;
  /** Restarts the service that runs the executable. */
  readonly restart: () => Promise<void>;
  /** Cancels the activation of the new version. */
  readonly signal: AbortSignal;
  /** Called after the previous executable was restored, before the service is restarted with it. */
  readonly onRollback: () => void;
}

/**
 * `active`: the service runs the new version. `failed` (to start) and `interrupted`: the previous executable is back;
 * `problem` says why the service does not start with that one either, and is undefined if it does.
 */
export type Activation =
  | { readonly kind: "active" }
  | { readonly kind: "failed"; readonly cause: unknown; readonly problem: string | undefined }
  | { readonly kind: "interrupted"; readonly problem: string | undefined };

/** Restarts the service with the new executable. Throws `upgrade_failed` if the previous one cannot be restored. */
export async function activate({
  replacement,
  restart,
  signal,
  onRollback,
}: ActivationOptions): Promise<Activation> {
  const interrupted = Promise.withResolvers<void>();
  const interrupt = () => interrupted.resolve();
  signal.addEventListener("abort", interrupt);
  let cause: unknown;
  try {
    if (!signal.aborted) await Promise.race([restart(), interrupted.promise]);
  } catch (error) {
    cause = error;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
  if (cause === undefined && !signal.aborted) {
    replacement.keep();
    return { kind: "active" };
  }
  replacement.undo();
  onRollback();
  const problem = await restart().then(() => undefined, messageOf);
  return signal.aborted ? { kind: "interrupted", problem } : { kind: "failed", cause, problem };
}
