// What every command starts from: the root it works on, its settings, and the accounts behind it, through the
// running daemon when there is one and on the files otherwise.

import { createAdminClient, daemonAnswers } from "../admin/client.ts";
import { type AccountOps, createAccountOps } from "../auth/account-ops.ts";
import { reconcile } from "../auth/homes.ts";
import type { Deps } from "../deps.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import type { Config } from "../state/config.ts";
import { readConfig } from "../state/config-source.ts";
import { type Layout, layoutOf, rootFrom } from "../state/layout.ts";
import { waitForLock } from "../state/lock.ts";
import { openStore, type Store } from "../state/store.ts";

export interface CommandContext {
  readonly deps: Deps;
  readonly layout: Layout;
}

/** Commands that change accounts take milliseconds; one that finds another at work waits for it. */
const LOCK_WAIT_MS = 5_000;

/** The flag that every command has. */
export const ROOT_FLAG = {
  root: {
    type: "string",
    description: "State directory (CODEXLB_ROOT; default ~/.codex-lb)",
    valueHint: "DIR",
  },
} as const;

export const PROXY_URL_FLAG = {
  "proxy-url": {
    type: "string",
    description:
      "Where the proxy is (CODEXLB_PROXY_URL; default proxy.proxy_url, else http://<proxy.listen>)",
    valueHint: "URL",
  },
} as const;

export function contextOf(root: string | undefined): CommandContext {
  const deps = systemDeps();
  return { deps, layout: layoutOf(rootFrom(root, deps.env)) };
}

/** The URL of the proxy that a command talks to. */
export function clientUrl(flag: string | undefined, { env }: Deps, config: Config): string {
  const named = flag?.trim() || env.CODEXLB_PROXY_URL?.trim();
  const configured = config.proxy.proxy_url ?? config.run.proxy_url?.trim();
  return named || configured || `http://${config.proxy.listen}`;
}

/** Runs `use` with the account operations of the root: the daemon's if one runs, else on the files, which are locked meanwhile. */
export async function withAccounts<T>(
  context: CommandContext,
  use: (ops: AccountOps) => Promise<T>,
): Promise<T> {
  const { deps, layout } = context;
  if (await daemonAnswers(layout.adminSocket)) return use(createAdminClient(layout.adminSocket));
  makePrivateDirectory(layout.root);
  const lock = await waitForLock(layout.lock, LOCK_WAIT_MS);
  if (lock === undefined)
    throw new CodexlbError(
      "root_locked",
      `another codexlb is at work on ${layout.root}, and it does not answer`,
      {
        next: "try again in a moment",
      },
    );
  try {
    const store = openLocalStore(context, false);
    return await use(createAccountOps(store, layout, deps));
  } finally {
    lock.release();
  }
}

/** As `withAccounts`, for commands that only read: nothing is written and nothing locked. */
export async function withAccountsReadOnly<T>(
  context: CommandContext,
  use: (ops: Pick<AccountOps, "list">) => Promise<T>,
): Promise<T> {
  const { deps, layout } = context;
  if (await daemonAnswers(layout.adminSocket)) return use(createAdminClient(layout.adminSocket));
  return use(createAccountOps(openLocalStore(context, true), layout, deps));
}

/** The store of the root with its accounts as they are on disk; problems are told on stderr. */
export function openLocalStore({ deps, layout }: CommandContext, readOnly: boolean): Store {
  const upstream = readConfig(layout).proxy.upstream_base_url;
  const store = openStore(layout.store, upstream, deps, { readOnly });
  for (const problem of reconcile(store.state, layout, deps.clock.now())) deps.log.warn(problem);
  return store;
}
