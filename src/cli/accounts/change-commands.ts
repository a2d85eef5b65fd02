// The commands that change accounts which are enrolled: `codexlb account rm`, `pin`, `unpin`, `enable`, `disable` and
// `drain`.

import { defineCommand } from "citty";
import { PAST } from "../../admin/accounts.ts";
import { advised } from "../../advice.ts";
import type { AccountOps, Service } from "../../auth/account-ops.ts";
import { OPERATOR_REASON } from "../../core/health.ts";
import type { Deps } from "../../deps.ts";
import { printMessage } from "../../print.ts";
import { REMOTE_FLAGS, type RemoteFlags, ROOT_FLAG } from "../common-flags.ts";
import { contextOf, rootExists } from "../context.ts";
import { usage } from "../flags.ts";
import { report } from "../report-error.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { placeOf } from "./account-place.ts";
import { ALIAS, onlyAlias } from "./alias-argument.ts";
import { listedWords } from "./listed-words.ts";
import { withAccounts } from "./with-accounts.ts";

export const rm = onAccounts(
  "rm",
  "Remove accounts and their stored logins",
  async (ops, name, { log: { info } }) => {
    const { alias, wasPinned } = await ops.remove(name);
    if (wasPinned) info(`${alias} was pinned; the policy now chooses the account for each turn`);
    return `removed account ${alias}`;
  },
);

export const pin = onAccount(
  "pin",
  "Send all turns to this account while it is available",
  async (ops, name, { log: { warn, info }, clock }, below) => {
    const { alias, listed } = await ops.pin(name);
    if (below !== undefined)
      info(
        `pinned only on the proxy ${below}; proxies in front of it choose as before. Undo with: ${advised("account unpin", "--proxy-name", below)}`,
      );
    const state = listed && listedWords(listed, clock.now());
    if (state?.cause === "draining") info(`${alias} is draining; while it is pinned, it gets all turns`);
    else if (state?.canServe === false)
      warn(`${alias} cannot serve (${state.wordings[0]}); other accounts serve until it is available again`);
    return `pinned account ${alias}`;
  },
);

export const unpin = defineCommand({
  meta: { name: "codexlb account unpin", description: "Remove the pin, so that the policy chooses again" },
  args: { ...ROOT_FLAG, ...REMOTE_FLAGS },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const place = await placeOf(context, args);
    // Without a root, nothing is pinned.
    const wasPinned =
      (place.kind === "remote" || rootExists(context)) &&
      (await withAccounts(context, place, { write: true }, (ops) => ops.unpin()));
    // Scripts always get the same line.
    if (terminalFrame(context.deps.env) === undefined) printMessage("unpinned account selection");
    else
      printMessage(
        wasPinned === false
          ? "no account was pinned; nothing changed"
          : "removed the pin; the policy chooses again",
      );
  },
});

export const enable = service("enable", "Put accounts back into service, even if codexlb disabled them");
export const disable = service("disable", "Take accounts out of service until they are enabled again");
export const drain = service("drain", "Keep the sessions of accounts on them, but start no new ones there");

// --- internal ---

/** A command that enables, disables or drains accounts. */
function service(kind: Service, description: string) {
  return onAccounts(kind, description, async (ops, name, { log: { info, warn }, env }, below) => {
    const wasAlready = await isAlready(kind, ops, name);
    const { alias, endedCooldown, isPinned } = await ops.serve(name, kind);
    const unpinLine = advised("account unpin", ...(below === undefined ? [] : ["--proxy-name", below]));
    if (isPinned && kind === "drain")
      warn(`${alias} is pinned, so it still gets all turns; end that with: ${unpinLine}`);
    if (isPinned && kind === "disable")
      warn(
        `${alias} is pinned, so it gets all turns again as soon as it is enabled; end that with: ${unpinLine}`,
      );
    if (endedCooldown) info(`this also ended the cooldown of ${alias}; it gets turns again now`);
    const line = `${PAST[kind]} account ${alias}`;
    // A proxy that does not report an ended cooldown may have ended one.
    if (!wasAlready || (kind === "enable" && endedCooldown !== false)) return line;
    const repeated = `${alias} is already ${ALREADY[kind]}; nothing changed`;
    if (terminalFrame(env) !== undefined) return repeated;
    // Scripts always get the same line.
    info(repeated);
    return line;
  });
}

/** True if the account is in the state already to which `kind` would bring it. */
async function isAlready(kind: Service, ops: AccountOps, name: string): Promise<boolean> {
  const account = (await ops.list()).find(({ alias, id }) => alias === name || id === name);
  if (account === undefined) return false;
  const { draining } = account.codexlb;
  if (kind === "drain") return draining;
  if (kind === "disable") return account.disabled_reason === OPERATOR_REASON;
  return account.enabled && account.disabled_reason === "" && !draining;
}

const ALREADY: Readonly<Record<Service, string>> = {
  enable: "in service",
  disable: "disabled by you",
  drain: "draining",
};

/** Does one thing to one account, named by alias or id. Returns the line to print. */
type AccountChange = (ops: AccountOps, account: string, deps: Deps, below?: string) => Promise<string>;

/** A command that changes one account. */
function onAccount(name: string, description: string, change: AccountChange) {
  return defineCommand({
    meta: { name: `codexlb account ${name}`, description },
    args: { ...ROOT_FLAG, ...REMOTE_FLAGS, alias: ALIAS },
    run: async ({ args, rawArgs }) => changeAccounts(args, [onlyAlias(name, rawArgs)], change),
  });
}

/** A command that changes one or several accounts. */
function onAccounts(name: string, description: string, change: AccountChange) {
  return defineCommand({
    meta: { name: `codexlb account ${name}`, description },
    args: {
      ...ROOT_FLAG,
      ...REMOTE_FLAGS,
      alias: { ...ALIAS, description: "Aliases or ids of the accounts", valueHint: "ALIAS..." },
    },
    run: async ({ args, rawArgs }) => {
      const names = [...new Set(rawArgs)];
      if (names.length === 0 || names.some((one) => one.trim() === ""))
        throw usage(`account ${name} takes one or more aliases`);
      await changeAccounts(args, names, change);
    },
  });
}

/** Changes the accounts `names`, each one even if another one fails. Throws the last error, and reports the others. */
async function changeAccounts(
  flags: RemoteFlags & { readonly root?: string | undefined },
  names: readonly string[],
  change: AccountChange,
): Promise<void> {
  const context = contextOf(flags.root);
  const place = await placeOf(context, flags);
  let failure: unknown;
  for (const about of names) {
    try {
      const line = await withAccounts(context, place, { write: rootExists(context), about }, (ops, below) =>
        change(ops, about, context.deps, below),
      );
      printMessage(line);
    } catch (error) {
      if (failure !== undefined) report(failure);
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
}
