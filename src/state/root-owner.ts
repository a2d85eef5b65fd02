// Ownership of a root by one process. The owner holds the lock, and notices when the paths no longer lead to the
// directory that it locked (because it was moved, removed or replaced). From then on, and once it has released the
// root, it must not write there.

import { statSync } from "node:fs";
import type { Clock } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import type { Layout } from "./layout.ts";
import { waitForLock } from "./lock.ts";

export interface RootOwner {
  /** False once another directory or lock is at the path of the root, and after `release`. */
  isOurs(): boolean;
  /** Resolves to an error when the root is no longer this process's, which is checked every second until `release`. */
  readonly lost: Promise<CodexlbError>;
  /** Lets another process own the root. */
  release(): void;
}

/** How often the root is checked. */
const LOOK_MS = 1_000;

/** Takes `layout`'s root; undefined if another process still owns it after `timeoutMs`. Throws `file_unusable`. */
export async function ownRoot(
  layout: Layout,
  { clock }: { readonly clock: Clock },
  timeoutMs: number,
): Promise<RootOwner | undefined> {
  const lock = await waitForLock(layout.lock, timeoutMs);
  if (lock === undefined) return undefined;
  const paths = [layout.root, layout.lock];
  const ours = paths.map(identityOf);
  let isReleased = false;
  const isOurs = () => !isReleased && paths.every((path, index) => identityOf(path) === ours[index]);
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
      isReleased = true;
      cancel();
      lock.release();
    },
  };
}

/** The error for a root that is no longer the directory that the proxy started on. */
export function moved(root: string): CodexlbError {
  return new CodexlbError(
    "root_moved",
    `${root} was moved, removed or replaced while the proxy was running; the proxy no longer writes there`,
    { next: "start the proxy again, with --root set to the directory's current path" },
  );
}

/** Identifies the file or directory at `path`; undefined if there is none. Not reused while the file is open. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined; // a path that cannot be read is not the original one
  }
}
