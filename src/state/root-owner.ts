// The one process that owns a root: it holds the lock, and knows when the paths name another directory than the one it
// locked (moved away, removed, replaced). From then on nothing may be written there.

import { statSync } from "node:fs";
import type { Clock } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import type { Layout } from "./layout.ts";
import { waitForLock } from "./lock.ts";

export interface RootOwner {
  /** False once the root or its lock is not what it was at the start. */
  isOurs(): boolean;
  /** Resolves to what happened when the root is no longer ours, looked at every second until `release`. */
  readonly lost: Promise<CodexlbError>;
  /** Lets another process own the root. */
  release(): void;
}

/** How often it is looked whether the root is still there. */
const LOOK_MS = 1_000;

/** Takes `layout`'s root; undefined when another process has had it for `timeoutMs`. Throws `file_unusable`. */
export async function ownRoot(
  layout: Layout,
  { clock }: { readonly clock: Clock },
  timeoutMs: number,
): Promise<RootOwner | undefined> {
  const lock = await waitForLock(layout.lock, timeoutMs);
  if (lock === undefined) return undefined;
  const paths = [layout.root, layout.lock];
  const ours = paths.map(identityOf);
  const isOurs = () => paths.every((path, index) => identityOf(path) === ours[index]);
  const { promise: lost, resolve } = Promise.withResolvers<CodexlbError>();
  const look = () => {
    if (isOurs()) cancel = clock.after(LOOK_MS, look);
    else resolve(moved(layout.root));
  };
  let cancel = clock.after(LOOK_MS, look);
  return {
    isOurs,
    lost,
    release: () => {
      cancel();
      lock.release();
    },
  };
}

/** The error for a root that is no longer the one that was started on. */
export function moved(root: string): CodexlbError {
  return new CodexlbError(
    "root_moved",
    `${root} was moved, removed or replaced while the proxy was running; the proxy no longer writes there`,
    { next: "start the proxy again, with --root set to the directory's current path" },
  );
}

/** Which file or directory `path` names; undefined for none. It stays the same as long as somebody has that one open. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined; // what cannot be looked at is not what it was
  }
}
