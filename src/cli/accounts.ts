// The accounts (and keys) behind a command: through a proxy elsewhere, through the daemon of the root, or on the
// files, which are locked meanwhile.

import {
  type Door,
  daemonAnswers,
  remoteAccounts,
  remoteKeys,
  remoteStatus,
  socketDoor,
} from "../admin/client.ts";
import { type AccountOps, createAccountOps } from "../auth/account-ops.ts";
import { reconcile } from "../auth/homes.ts";
import { type KeyOps, openKeys } from "../auth/keys.ts";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import { readConfig } from "../state/config-source.ts";
import { tryLock } from "../state/lock.ts";
import { openStore, type Store } from "../state/store.ts";
import type { CommandContext, Place } from "./context.ts";

/** Commands that change accounts take milliseconds; one that finds another at work waits for it. */
const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 50;

/**
 * Runs `use` with the accounts of `place`. For `about`, an alias or id, a proxy elsewhere is asked first which
 * proxy of its chain has it. `write` false: nothing is written and nothing locked.
 */
export async function withAccounts<T>(
  context: CommandContext,
  place: Place,
  options: { readonly write: boolean; readonly about?: string },
  use: (ops: AccountOps) => Promise<T>,
): Promise<T> {
  const here = () => withAccountsHere(context, options.write, use, options.about);
  if (place.kind === "here") return here();
  try {
    const proxyName = place.door.proxyName ?? (await ownerOf(place.door, options.about));
    return await use(remoteAccounts({ ...place.door, proxyName }));
  } catch (error) {
    if (!place.fallback || !isElsewhere(error)) throw error;
    if (error instanceof CodexlbError && error.code === "unauthorized")
      context.deps.log.warn(
        `the proxy at ${place.door.url} does not know the token of ${context.layout.root}; working on that directory instead`,
      );
    return here();
  }
}

/** As `withAccounts`, of the root itself. */
export function withAccountsHere<T>(
  context: CommandContext,
  write: boolean,
  use: (ops: AccountOps) => Promise<T>,
  about?: string,
): Promise<T> {
  const { deps, layout } = context;
  return onRoot(context, write, {
    daemon: async (door) => use(remoteAccounts({ ...door, proxyName: await ownerOf(door, about) })),
    files: () => {
      const upstream = readConfig(layout).proxy.upstream_base_url;
      return use(createAccountOps(openLocalStore(context, !write, upstream), layout, deps, () => upstream));
    },
  });
}

/** Runs `use` with the keys of the root. */
export function withKeysHere<T>(
  context: CommandContext,
  write: boolean,
  use: (ops: KeyOps) => Promise<T>,
): Promise<T> {
  return onRoot(context, write, {
    daemon: (door) => use(remoteKeys(door)),
    files: () => use(openKeys(context.layout.keys, context.deps)),
  });
}

/** The store of the root with its accounts as they are on disk; problems are told on stderr. */
export function openLocalStore({ deps, layout }: CommandContext, readOnly: boolean, upstream: string): Store {
  const store = openStore(layout.store, () => upstream, deps, { readOnly });
  for (const problem of reconcile(store.state, layout, deps.clock.now(), { readOnly }))
    deps.log.warn(problem);
  return store;
}

// --- internal ---

/** Does the work through the daemon of the root, or on its files: which are locked when they are to be changed. */
async function onRoot<T>(
  { deps, layout }: CommandContext,
  write: boolean,
  work: { readonly daemon: (door: Door) => Promise<T>; readonly files: () => Promise<T> },
): Promise<T> {
  const deadlineMs = deps.clock.now() + LOCK_WAIT_MS;
  while (deps.clock.now() < deadlineMs) {
    if (await daemonAnswers(layout.adminSocket)) return work.daemon(socketDoor(layout.adminSocket));
    if (!write) return work.files();
    makePrivateDirectory(layout.root);
    const lock = tryLock(layout.lock);
    if (lock === undefined) {
      // Another command, or a proxy that is about to answer.
      await Bun.sleep(LOCK_POLL_MS);
      continue;
    }
    try {
      return await work.files();
    } finally {
      lock.release();
    }
  }
  throw new CodexlbError(
    "root_locked",
    `another codexlb is at work on ${layout.root}, and it does not answer`,
    { next: "try again in a moment; if a proxy runs there, look at its log" },
  );
}

function isElsewhere(error: unknown): boolean {
  return (
    error instanceof CodexlbError && (error.code === "proxy_unreachable" || error.code === "unauthorized")
  );
}

/** The name of the one proxy of a chain that has the account `about`, if there is exactly one. */
async function ownerOf(door: Door, about: string | undefined): Promise<string | undefined> {
  if (about === undefined) return undefined;
  try {
    const status = await remoteStatus({ timeoutMs: STATUS_TIMEOUT_MS, ...door });
    const owners = status.accounts
      .filter((account) => account.alias === about || account.id === about)
      .map((account) => account.proxy_name || status.proxy_name)
      .filter((name) => name !== "");
    const names = [...new Set(owners)];
    return names.length === 1 ? names[0] : undefined;
  } catch {
    return undefined; // the proxy that was asked decides; what is wrong with it shows then
  }
}

const STATUS_TIMEOUT_MS = 5_000;
