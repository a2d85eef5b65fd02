// A channel for notifications: a command, a webhook or the desktop.

import type { NotifyMessage } from "../core/notify/message.ts";
import type { Clock, Deps } from "../deps.ts";
import type { Outbound } from "../network/egress.ts";

export type ChannelName = "command" | "webhook" | "desktop";

export interface Channel {
  readonly name: ChannelName;
  /**
   * Sends `message`. Resolves to the reason if that fails, or to undefined. When `signal` is aborted, it
   * stops and resolves soon.
   */
  send(message: NotifyMessage, signal: AbortSignal): Promise<string | undefined>;
}

export interface ChannelContext {
  readonly clock: Clock;
  readonly env: Deps["env"];
  readonly outbound: Pick<Outbound, "toProxy">;
  /** Default: this machine's platform. */
  readonly platform?: NodeJS.Platform;
}

/** Aborts after `ms` by `clock`, or when `signal` is aborted. Call `end` when it is no longer needed. */
export function deadline(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
): { readonly signal: AbortSignal; readonly isLate: () => boolean; readonly end: () => void } {
  const late = new AbortController();
  const cancel = clock.after(ms, () => late.abort());
  return { signal: AbortSignal.any([signal, late.signal]), isLate: () => late.signal.aborted, end: cancel };
}
