// `codexlb account ...`: enrols, lists, pins, disables and removes accounts.

import { defineCommand } from "citty";
import { remoteStatus } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { identityOfListed } from "../../auth/account-ops.ts";
import { personName, twinProblems } from "../../auth/identity.ts";
import { accountState, emailOf } from "../../core/status-words.ts";
import { CodexlbError } from "../../errors.ts";
import { print, printJson } from "../../print.ts";
import { shortLine } from "../../printable.ts";
import { REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { printNoAccounts } from "../status/no-accounts.ts";
import { hasUtf8 } from "../terminal/glyphs.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { accountView } from "./account-details.ts";
import { accountLines } from "./account-lines.ts";
import { type Place, placeOf } from "./account-place.ts";
import { listedTable, treeTable } from "./account-table.ts";
import addKey from "./add-key-command.ts";
import { ALIAS, onlyAlias } from "./alias-argument.ts";
import { disable, drain, enable, pin, rm, unpin } from "./change-commands.ts";
import exportCommand from "./export-command.ts";
import importCommand from "./import-command.ts";
import { listedState } from "./listed-state.ts";
import login from "./login-command.ts";
import redeem from "./redeem-command.ts";
import set from "./set-command.ts";
import { withAccounts } from "./with-accounts.ts";

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
    if (accounts.length === 0) return printNoAccounts(context.deps, frame);
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
  if (accounts.length === 0) return printNoAccounts(context.deps, frame);
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

export default defineCommand({
  meta: { name: "codexlb account", description: "Enrol, list, pin, disable and remove accounts" },
  subCommands: {
    login,
    import: importCommand,
    "add-key": addKey,
    export: exportCommand,
    list,
    show,
    set,
    rm,
    pin,
    unpin,
    enable,
    disable,
    drain,
    redeem,
  },
});
