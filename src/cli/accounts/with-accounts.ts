// Gives a command access to accounts and keys: through another proxy, through the daemon of the root, or in the files,
// which stay locked during the work.

import { remoteAccounts, remoteKeys, remoteStatus, type UnsentNote } from "../../admin/client.ts";
import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import type { Door } from "../../admin/door.ts";
import { type AccountOps, createAccountOps } from "../../auth/account-ops.ts";
import { reconcile } from "../../auth/homes.ts";
import { type KeyOps, openKeys } from "../../auth/keys.ts";
import { type PutBackNotes, putBackBy } from "../../cluster/put-back.ts";
import { openReplicaFile } from "../../cluster/replica-file.ts";
import { type OperatorChanges, sharedAccounts, sharedKeys } from "../../cluster/shared-ops.ts";
import type { QuotaView } from "../../core/quota.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { offlineRedeemer } from "../../daemon/offline-redeemer.ts";
import { CodexlbError } from "../../errors.ts";
import { makePrivateDirectory } from "../../state/atomic-file.ts";
import { lineSource, readConfigFile } from "../../state/config-source.ts";
import { tryLock } from "../../state/lock.ts";
import { makePrivate } from "../../state/private-root.ts";
import { openStore, type Store } from "../../state/store.ts";
import { accountNamed } from "../../state/store-state.ts";
import { createAffinity } from "../../upstream/affinity.ts";
import { detailsOf, factsAtRest } from "../../upstream/details.ts";
import { loggedSwitches } from "../../upstream/logged-switches.ts";
import { poolSettings } from "../../upstream/pool-settings.ts";
import { switchHistory } from "../../upstream/switches.ts";
import { unsentWarning } from "../cluster/running-replica.ts";
import { type CommandContext, removeEmptyRoot, reportNewRoot, rootExists } from "../context.ts";
import type { Place } from "./account-place.ts";
import { withAdviceHere } from "./remote-advice.ts";

/** Work on accounts. `below` is the name of the child proxy that has them, if it is not the proxy that was asked. */
type AccountWork<T> = (ops: AccountOps, below?: string) => Promise<T>;

interface AccountsOptions {
  /** If false, nothing is written or locked. */
  readonly write: boolean;
  /** The alias or id of the only account that `use` works with. The account may be on a child proxy. */
  readonly about?: string;
}

/** How long a command waits for another one that changes the accounts. Such commands take milliseconds. */
const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 50;

/** Runs `use` with the accounts of `place`. Throws `root_locked` if another process keeps the files locked. */
export async function withAccounts<T>(
  context: CommandContext,
  place: Place,
  options: AccountsOptions,
  use: AccountWork<T>,
): Promise<T> {
  const here = () =>
    onRoot(context, place.daemon, options.write, {
      daemon: (door) => throughDoor(context, door, options.about, use),
      files: () => use(localAccounts(context, options.write)),
    });
  if (place.kind === "here") return here();
  try {
    return await throughDoor(context, place.door, options.about, use);
  } catch (error) {
    if (!place.fallback || !isElsewhere(error)) throw await withAdviceHere(error, place.door, options.about);
    if (error instanceof CodexlbError && error.code === "unauthorized")
      context.deps.log.warn(
        `the proxy at ${place.door.url} rejected the admin token of ${context.layout.root}; working on that directory instead`,
      );
    return here();
  }
}

/** Runs `use` with the keys of the root. */
export async function withKeys<T>(
  context: CommandContext,
  write: boolean,
  use: (ops: KeyOps) => Promise<T>,
): Promise<T> {
  return onRoot(context, await daemonAt(context.layout.adminSocket), write, {
    daemon: (door) => withWarning(context, door, (noted) => use(remoteKeys(door, noted))),
    files: () => {
      const { layout, deps } = context;
      // Without a proxy nothing is counted, so the file of what keys have used is only read.
      const useFile = { path: layout.keyUse, isOurs: () => false };
      const keys = openKeys(layout.keys, { ...deps, useFile });
      const later = changesOfReplica(context);
      return use(later === undefined ? keys : sharedKeys(keys, later));
    },
  });
}

/** Opens the store of the root, with the accounts as they are on disk. Reports problems on stderr. */
export function openLocalStore({ deps, layout }: CommandContext, readOnly: boolean, upstream: string): Store {
  const store = openStore(layout.store, () => upstream, deps, { readOnly });
  for (const { message } of reconcile(store.state, layout, deps.clock.now(), { readOnly }))
    deps.log.warn(message);
  return store;
}

// --- internal ---

/** The accounts in the files of the root. */
function localAccounts(context: CommandContext, write: boolean): AccountOps {
  const { deps, layout } = context;
  const { config, lines } = readConfigFile(layout);
  const upstream = config.proxy.upstream_base_url;
  const store = openLocalStore(context, !write, upstream);
  const later = changesOfReplica(context);
  const view = (): QuotaView => ({ nowMs: deps.clock.now(), ttlMs: poolSettings(config).quotaTtlMs });
  const ops = createAccountOps({
    store,
    layout,
    deps,
    upstream: () => upstream,
    fileOptions: () => config.accounts,
    redeemer: offlineRedeemer(deps, store, config),
    details: (record) =>
      detailsOf(
        {
          layout,
          affinity: createAffinity({ path: layout.sessions, deps }),
          facts: () => ({
            ...factsAtRest(store.state, config, view()),
            switches: switchHistory(loggedSwitches(layout.events)),
          }),
          view,
          fileSource: (key) => lineSource(lines.get(key)),
        },
        record,
      ),
    changed: (change, record) => {
      if (record === undefined || later === undefined) return;
      const back = putBackBy(change, record, deps.clock.now());
      if (back !== undefined) later.putBack.note(record.id, back);
    },
  });
  if (later === undefined) return ops;
  const aliasOf = (name: string) => accountNamed(store.state, name)?.alias ?? name;
  return sharedAccounts(ops, { ...later, aliasOf });
}

interface LaterChanges extends Omit<OperatorChanges, "aliasOf"> {
  readonly putBack: PutBackNotes;
}

/**
 * Notes the changes of a replica without a running proxy, which sends them when it starts; undefined if the root is no
 * replica.
 */
function changesOfReplica({ deps, layout }: CommandContext): LaterChanges | undefined {
  const file = openReplicaFile(layout.cluster);
  return (
    file && {
      expect: file.expect,
      putBack: file.putBack,
      made: async (names) => {
        file.confirm(names);
        deps.log.info(
          `the other replicas of ${file.pool} get this change when the proxy of ${layout.root} runs`,
        );
      },
    }
  );
}

/** Does the work through the daemon of the root, or in its files, which are locked during a change. */
async function onRoot<T>(
  context: CommandContext,
  asked: Daemon,
  write: boolean,
  work: { readonly daemon: (door: Door) => Promise<T>; readonly files: () => Promise<T> },
): Promise<T> {
  const { deps, layout } = context;
  const deadlineMs = deps.clock.monotonic() + LOCK_WAIT_MS;
  let daemon = asked;
  let isNew = false;
  do {
    if (daemon.kind === "answers") return work.daemon(daemon.door);
    if (!write) return work.files();
    isNew ||= !rootExists(context);
    makePrivateDirectory(layout.root);
    makePrivate(layout, deps.log);
    const lock = tryLock(layout.lock);
    if (lock !== undefined) {
      try {
        const result = await work.files();
        if (isNew) reportNewRoot(context);
        return result;
      } catch (error) {
        if (isNew) removeEmptyRoot(context);
        throw error;
      } finally {
        lock.release();
      }
    }
    // The owner of the lock is another command, or a proxy that is starting.
    await Bun.sleep(LOCK_POLL_MS);
    daemon = await daemonAt(layout.adminSocket);
  } while (deps.clock.monotonic() < deadlineMs);
  throw new CodexlbError(
    "root_locked",
    `another codexlb process is using ${layout.root} and does not answer`,
    { next: "try again in a moment; if that process is a proxy, check its log" },
  );
}

function isElsewhere(error: unknown): boolean {
  return (
    error instanceof CodexlbError && (error.code === "proxy_unreachable" || error.code === "unauthorized")
  );
}

/**
 * Runs `use` with the accounts of the proxy behind `door`, or of the only proxy below it that has the account `about`.
 */
async function throughDoor<T>(
  context: CommandContext,
  door: Door,
  about: string | undefined,
  use: AccountWork<T>,
): Promise<T> {
  const direct = () => withWarning(context, door, (noted) => use(remoteAccounts(door, noted)));
  if (about === undefined || door.proxyName !== undefined) return direct();
  const through = (proxyName: string) => {
    const named = { ...door, proxyName };
    return withWarning(context, named, (noted) => use(remoteAccounts(named, noted), proxyName));
  };
  if (door.unix === undefined) {
    // Another root's proxy may accept an account that it does not have, so its status comes first.
    const below = await proxyBelow(door, about);
    return below === undefined ? direct() : through(below);
  }
  try {
    return await direct();
  } catch (error) {
    if (!(error instanceof CodexlbError) || error.code !== "account_not_found") throw error;
    const below = await proxyBelow(door, about);
    if (below === undefined) throw error;
    return through(below);
  }
}

/** Runs `use`, and then warns if the other replicas of the proxy behind `door` do not have all changes. */
async function withWarning<T>(
  { deps }: CommandContext,
  door: Door,
  use: (noted: UnsentNote) => Promise<T>,
): Promise<T> {
  let unsent: Parameters<UnsentNote>[0];
  try {
    return await use((now) => {
      unsent = now;
    });
  } finally {
    if (unsent !== undefined) deps.log.warn(unsentWarning(unsent, replicaIn(door)));
  }
}

function replicaIn({ url, unix, proxyName }: Door): string {
  if (proxyName !== undefined) return `the replica ${proxyName}`;
  return unix === undefined ? `the replica at ${withoutTrailingSlash(url)}` : "this replica";
}

/**
 * The name of the only proxy below `door` that has the account `about`. It is undefined if the proxy itself has the
 * account, no proxy has it, or the status is not available. Throws `target_proxy_ambiguous` if several proxies have it.
 */
async function proxyBelow(door: Door, about: string): Promise<string | undefined> {
  const timeoutMs = door.timeoutMs ?? STATUS_TIMEOUT_MS;
  const status = await remoteStatus({ ...door, timeoutMs }).catch(() => undefined);
  if (status === undefined) return undefined;
  const own = status.proxy_name;
  const owners = status.accounts
    .filter((account) => account.alias === about || account.id === about)
    .map((account) => account.proxy_name || own);
  if (owners.includes(own)) return undefined;
  const [name, ...others] = new Set(owners);
  if (name === undefined || others.length === 0) return name;
  throw new CodexlbError(
    "target_proxy_ambiguous",
    `${about} is an account of ${[name, ...others].join(" and ")}`,
    { next: `choose one of them, for example: --proxy-name ${name}` },
  );
}

const STATUS_TIMEOUT_MS = 5_000;
