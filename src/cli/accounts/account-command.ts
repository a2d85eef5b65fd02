// `codexlb account ...`: enrols, lists, pins, disables and removes accounts.

import { defineCommand } from "citty";
import { PAST } from "../../admin/accounts.ts";
import { remoteStatus } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { type AccountOps, identityOfListed, type Service } from "../../auth/account-ops.ts";
import { personName, twinProblems } from "../../auth/identity.ts";
import { OPERATOR_REASON } from "../../core/health.ts";
import { accountState, emailOf } from "../../core/status-words.ts";
import type { Log } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { print, printJson } from "../../print.ts";
import { shortLine } from "../../printable.ts";
import { REMOTE_FLAGS, type RemoteFlags, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, rootExists } from "../context.ts";
import { usage } from "../flags.ts";
import { report } from "../report-error.ts";
import { NO_ACCOUNTS, noAccountsText } from "../status/no-accounts.ts";
import { hasUtf8 } from "../terminal/glyphs.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { accountView } from "./account-details.ts";
import { accountLines } from "./account-lines.ts";
import { type Place, placeOf } from "./account-place.ts";
import { listedTable, treeTable } from "./account-table.ts";
import exportCommand from "./export-command.ts";
import importCommand from "./import-command.ts";
import { listedState } from "./listed-state.ts";
import { listedWords } from "./listed-words.ts";
import login from "./login-command.ts";
import set from "./set-command.ts";
import { withAccounts } from "./with-accounts.ts";

const ALIAS = {
  type: "positional",
  description: "Alias or id of the account",
  valueHint: "ALIAS",
} as const;

const list = defineCommand({
  meta: { name: "codexlb account list", description: "List the enrolled accounts" },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    tree: {
      type: "boolean",
      description: "Include the accounts of child proxies, and name the proxy of each",
    },
    json: { type: "boolean", description: "Print all details as JSON" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const place = await placeOf(context, args);
    if (args.tree) return listTree(context, place, args.json ?? false);
    const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list());
    const identities = accounts.map(identityOfListed);
    for (const problem of twinProblems(identities)) context.deps.log.warn(problem);
    if (args.json) return printJson({ accounts }, 2);
    const nowMs = context.deps.clock.now();
    const sorted = [...accounts].sort((a, b) => compare(a.alias, b.alias));
    const frame = terminalFrame(context.deps.env);
    if (accounts.length === 0) return print(frame === undefined ? `${NO_ACCOUNTS}\n` : noAccountsText());
    if (frame !== undefined) return print(listedTable(sorted, frame, nowMs));
    for (const account of sorted)
      print(
        tabbed([
          account.alias,
          account.id,
          (account.user_email && personName(identityOfListed(account), identities)) || "-",
          // Scripts compare it; the reason is in `account show`.
          listedState(account, nowMs, { withReason: false }),
        ]),
      );
  },
});

/** Prints the accounts from the status of a proxy, which includes those of all proxies below it. */
async function listTree(context: CommandContext, place: Place, json: boolean): Promise<void> {
  const status = await remoteStatus(treeDoor(context, place));
  const accounts = [...status.accounts].sort(
    (a, b) => compare(a.proxy_name, b.proxy_name) || compare(a.alias, b.alias),
  );
  if (json) return printJson({ accounts }, 2);
  const { env, clock } = context.deps;
  const frame = terminalFrame(env);
  if (accounts.length === 0) return print(frame === undefined ? `${NO_ACCOUNTS}\n` : noAccountsText());
  if (frame !== undefined) return print(treeTable(accounts, status.proxy_name, frame, clock.now()));
  for (const account of accounts)
    print(
      tabbed([
        account.alias,
        account.id,
        emailOf(account) || "-",
        accountState(account),
        account.proxy_name || status.proxy_name,
      ]),
    );
}

function treeDoor({ layout }: CommandContext, place: Place): Door {
  if (place.kind === "remote") {
    if (place.door.proxyName !== undefined) throw usage("--tree and --proxy-name are mutually exclusive");
    return place.door;
  }
  if (place.daemon.kind === "answers") return place.daemon.door;
  throw new CodexlbError("proxy_unreachable", `no proxy is running on ${layout.root}`, {
    next: `start one with: ${advised("proxy start")}, or name one with --proxy-url`,
  });
}

/** One line. Tabs separate the fields, because scripts split the line there. */
function tabbed(fields: readonly string[]): string {
  return `${fields.map((field) => shortLine(field)).join("\t")}\n`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const show = defineCommand({
  meta: { name: "codexlb account show", description: "Show all details of an account" },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    json: { type: "boolean", description: "Print JSON" },
    alias: ALIAS,
  },
  run: async ({ args, rawArgs }) => {
    const about = onlyAlias("show", rawArgs);
    const context = contextOf(args.root);
    const place = await placeOf(context, args);
    const details = await withAccounts(context, place, { write: false, about }, (ops) => ops.show(about));
    if (args.json) return print(`${JSON.stringify(details, undefined, 2)}\n`);
    const { env, clock } = context.deps;
    const frame = terminalFrame(env);
    if (frame === undefined) return print(accountView(details, clock.now()));
    const canvas = { columns: frame.columns, colour: wantsColour(env), utf8: hasUtf8(env) };
    print(`${accountLines(details, { ...canvas, nowMs: clock.now() }).join("\n")}\n`);
  },
});

const rm = onAccounts("rm", "Remove accounts and their stored logins", async (ops, name, { info }) => {
  const { alias, wasPinned } = await ops.remove(name);
  if (wasPinned) info(`${alias} was pinned; the policy now chooses the account for each turn`);
  return `removed account ${alias}`;
});

const pin = onAccount(
  "pin",
  "Send all turns to this account while it is available",
  async (ops, name, { warn, info }, below) => {
    const { alias, listed } = await ops.pin(name);
    if (below !== undefined)
      info(
        `pinned only on the proxy ${below}; proxies in front of it choose as before. Undo with: ${advised("account unpin", "--proxy-name", below)}`,
      );
    if (listed !== undefined && !listed.enabled)
      warn(
        `${alias} cannot serve (${listedWords(listed, 0).wordings[0]}); other accounts serve until it is available again`,
      );
    return `pinned account ${alias}`;
  },
);

const unpin = defineCommand({
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
    const isIdle = wasPinned === false && terminalFrame(context.deps.env) !== undefined;
    print(isIdle ? "no account was pinned; nothing changed\n" : "unpinned account selection\n");
  },
});

const service = (kind: Service, description: string) =>
  onAccounts(kind, description, async (ops, name, { info }) => {
    const isRepeated = kind !== "enable" && (await isAlready(kind, ops, name));
    const { alias, endedCooldown } = await ops.serve(name, kind);
    if (endedCooldown) info(`this also ended the cooldown of ${alias}; it gets turns again now`);
    if (isRepeated)
      info(`${alias} was ${kind === "drain" ? "draining" : "disabled by you"} already; nothing changed`);
    return `${PAST[kind]} account ${alias}`;
  });

export default defineCommand({
  meta: { name: "codexlb account", description: "Enrol, list, pin, disable and remove accounts" },
  subCommands: {
    login,
    import: importCommand,
    export: exportCommand,
    list,
    show,
    set,
    rm,
    pin,
    unpin,
    enable: service("enable", "Put accounts back into service, even if codexlb disabled them"),
    disable: service("disable", "Take accounts out of service until they are enabled again"),
    drain: service("drain", "Keep the sessions of accounts on them, but start no new ones there"),
  },
});

// --- internal ---

/** True if the account is in the state already to which `kind` would bring it. */
async function isAlready(kind: "disable" | "drain", ops: AccountOps, name: string): Promise<boolean> {
  const account = (await ops.list()).find(({ alias, id }) => alias === name || id === name);
  if (account === undefined) return false;
  return kind === "drain" ? account.codexlb.draining : account.disabled_reason === OPERATOR_REASON;
}

function onlyAlias(command: string, words: readonly string[]): string {
  const [alias, ...surplus] = words;
  if (!alias?.trim() || surplus.length > 0) throw usage(`account ${command} takes one alias`);
  return alias;
}

/** Does one thing to one account, named by alias or id. Returns the line to print. */
type AccountChange = (ops: AccountOps, account: string, log: Log, below?: string) => Promise<string>;

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
        change(ops, about, context.deps.log, below),
      );
      print(`${line}\n`);
    } catch (error) {
      if (failure !== undefined) report(failure);
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
}
