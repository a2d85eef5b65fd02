// How a shutdown waits.

import type { Deps } from "../deps.ts";

/** Resolves after `ms`, or when `hurry` is aborted. */
export function passed({ clock }: Pick<Deps, "clock">, ms: number, hurry?: AbortSignal): Promise<void> {
  if (ms === 0 || hurry?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    clock.after(ms, resolve);
    hurry?.addEventListener("abort", () => resolve(), { once: true });
  });
}
