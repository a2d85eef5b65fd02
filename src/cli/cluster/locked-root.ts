// The files of a root whose proxy does not run, as the facts that it shares.

import { advised } from "../../advice.ts";
import { openKeys } from "../../auth/keys.ts";
import { type LocalFacts, localFacts } from "../../cluster/local-facts.ts";
import { CodexlbError } from "../../errors.ts";
import { makePrivateDirectory } from "../../state/atomic-file.ts";
import { readConfig } from "../../state/config-source.ts";
import { tryLock } from "../../state/lock.ts";
import { makePrivate } from "../../state/private-root.ts";
import type { Store } from "../../state/store.ts";
import { openLocalStore } from "../accounts/with-accounts.ts";
import { type CommandContext, removeEmptyRoot, reportNewRoot, rootExists } from "../context.ts";

export interface LockedRoot {
  readonly store: Store;
  readonly keyNames: readonly string[];
  readonly facts: LocalFacts;
}

/**
 * Runs `use` with the files of the root, which stay locked. A root that does not exist is created, and removed again if
 * `use` fails before anything is written there. Throws `root_locked` if a proxy or a command uses the files.
 */
export async function withLockedRoot<T>(
  context: CommandContext,
  use: (root: LockedRoot) => Promise<T>,
): Promise<T> {
  const { deps, layout } = context;
  const isNew = !rootExists(context);
  makePrivateDirectory(layout.root);
  makePrivate(layout, deps.log);
  const lock = tryLock(layout.lock);
  if (lock === undefined)
    throw new CodexlbError("root_locked", `another codexlb process is using ${layout.root}`, {
      next: `stop its proxy: ${advised("proxy stop")}`,
    });
  try {
    const result = await use(openRoot(context));
    if (isNew) reportNewRoot(context);
    return result;
  } catch (error) {
    if (isNew) removeEmptyRoot(context);
    throw error;
  } finally {
    lock.release();
  }
}

/** The facts in the files of a root that no other process uses. */
export function openRoot(context: CommandContext): LockedRoot {
  const { deps, layout } = context;
  const store = openLocalStore(context, false, readConfig(layout).proxy.upstream_base_url);
  const keys = openKeys(layout.keys, deps);
  return {
    store,
    keyNames: keys.entries().map(({ name }) => name),
    facts: localFacts({ store, layout, keys, nowMs: deps.clock.now }),
  };
}
