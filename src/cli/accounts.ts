// The accounts (and keys) behind a command: through a proxy elsewhere, through the daemon of the root, or on the
// files, which are locked meanwhile.

import { remoteAccounts, remoteKeys, remoteStatus } from "../admin/client.ts";
import { type Door, daemonAnswers, socketDoor } from "../admin/door.ts";
import { type AccountOps, createAccountOps } from "../auth/account-ops.ts";
import { reconcile } from "../auth/homes.ts";
import { type KeyOps, openKeys } from "../auth/keys.ts";
import type { QuotaView } from "../core/quota.ts";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import { readConfig } from "../state/config-source.ts";
import { tryLock } from "../state/lock.ts";
import { makePrivate } from "../state/private-root.ts";
import { openStore, type Store } from "../state/store.ts";
import { createAffinity } from "../upstream/affinity.ts";
import { detailsOf, factsAtRest } from "../upstream/details.ts";
import { poolSettings } from "../upstream/pool-settings.ts";
import type { CommandContext, Place } from "./context.ts";

/** Works with the accounts; `below` is the proxy that has them when it was found to be another one than was asked. */
type Use<T> = (ops: AccountOps, below?: string) => Promise<T>;

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
  use: Use<T>,
): Promise<T> {
  const here = () => withAccountsHere(context, options.write, use, options.about);
  if (place.kind === "here") return here();
  try {
    const { proxyName } = place.door;
    const owner = proxyName === undefined ? await ownerOf(place.door, options.about) : undefined;
    return await use(remoteAccounts({ ...place.door, proxyName: proxyName ?? owner?.name }), owner?.below);
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
  use: Use<T>,
  about?: string,
): Promise<T> {
  const { deps, layout } = context;
  return onRoot(context, write, {
    daemon: async (door) => {
      const owner = await ownerOf(door, about);
      return use(remoteAccounts({ ...door, proxyName: owner?.name }), owner?.below);
    },
    files: () => {
      const config = readConfig(layout);
      const upstream = config.proxy.upstream_base_url;
      const store = openLocalStore(context, !write, upstream);
      const view = (): QuotaView => ({
        nowMs: deps.clock.now(),
        ttlMs: poolSettings(config).quotaTtlMs,
      });
      return use(
        createAccountOps({
          store,
          layout,
          deps,
          upstream: () => upstream,
          details: (record) =>
            detailsOf(
              {
                layout,
                affinity: createAffinity({ path: layout.sessions, deps }),
                facts: () => factsAtRest(store.state, config, view()),
                view,
              },
              record,
            ),
        }),
      );
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
  const deadlineMs = deps.clock.monotonic() + LOCK_WAIT_MS;
  while (deps.clock.monotonic() < deadlineMs) {
    if (await daemonAnswers(layout.adminSocket)) return work.daemon(socketDoor(layout.adminSocket));
    if (!write) return work.files();
    makePrivateDirectory(layout.root);
    makePrivate(layout, deps.log);
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

/**
 * The name of the one proxy of a chain that has the account `about`: its own when it has it, else the only one below
 * it. Throws `target_proxy_ambiguous` when there are several below.
 */
async function ownerOf(
  door: Door,
  about: string | undefined,
): Promise<{ readonly name: string; readonly below: string | undefined } | undefined> {
  if (about === undefined) return undefined;
  // When its status cannot be had, the proxy that was asked decides; what is wrong with it shows then.
  const status = await remoteStatus({ timeoutMs: STATUS_TIMEOUT_MS, ...door }).catch(() => undefined);
  if (status === undefined) return undefined;
  const own = status.proxy_name;
  const owners = status.accounts
    .filter((account) => account.alias === about || account.id === about)
    .map((account) => account.proxy_name || own);
  const [name, ...others] = [...new Set(owners.filter((owner) => owner !== ""))];
  if (name === undefined) return undefined;
  if (owners.includes(own)) return { name: own, below: undefined };
  if (others.length === 0) return { name, below: name };
  throw new CodexlbError(
    "target_proxy_ambiguous",
    `${about} is an account of ${[name, ...others].join(" and ")}`,
    { next: `say which is meant: --proxy-name ${name}` },
  );
}

const STATUS_TIMEOUT_MS = 5_000;
