// `codexlb account …`: enrols, lists, pins and removes accounts.

import { resolve } from "node:path";
import { defineCommand } from "citty";
import { readCredentials, sameIdentity } from "../../auth/homes.ts";
import { inferAlias } from "../../codex/alias.ts";
import { userHomes } from "../../codex/home.ts";
import { CodexlbError } from "../../errors.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { contextOf, ROOT_FLAG, withAccounts, withAccountsReadOnly } from "../context.ts";
import { usage } from "../flags.ts";

const ALIAS = { type: "positional", description: "Name of the account", valueHint: "ALIAS" } as const;

const importCommand = defineCommand({
  meta: {
    name: "codexlb account import",
    description: "Enrol the account that a Codex home is logged in to",
  },
  args: {
    ...ROOT_FLAG,
    from: {
      type: "string",
      description: "The Codex home (CODEX_HOME; default ~/.codex)",
      valueHint: "CODEX_HOME",
    },
    replace: { type: "boolean", description: "Take it although the alias stands for another account" },
    alias: { ...ALIAS, required: false },
  },
  run: async ({ args, rawArgs }) => {
    if (rawArgs.length > 1) throw usage("account import takes one alias at most");
    const context = contextOf(args.root);
    const from = resolve(args.from?.trim() || (userHomes(context.deps.env)[0] ?? "."));
    const credentials = readCredentials(from);
    const auth = readTextIfPresent(`${from}/auth.json`);
    if (auth === undefined)
      throw new CodexlbError("invalid_auth_file", `reading ${from}/auth.json: there is no such file`);
    const config = readTextIfPresent(`${from}/config.toml`);
    if (credentials.refreshToken === undefined)
      context.deps.log.warn("this login has no refresh token: it ends when its access token does");
    await withAccounts(context, async (ops) => {
      const accounts = await ops.list();
      const same = sameIdentity(accounts, credentials);
      const taken = accounts.map((account) => account.alias);
      // Without a name given, a login that is known already renews the account it belongs to.
      const alias = args.alias ?? same[0] ?? inferAlias(from, credentials, taken, context.deps);
      const total = await ops.import(alias, { auth, config, replace: args.replace ?? false });
      process.stdout.write(`imported account ${alias} (total=${total})\n`);
      const twins = same.filter((one) => one !== alias);
      if (twins.length > 0)
        context.deps.log.warn(
          `${alias} is the same ChatGPT account as ${twins.join(", ")}; keep one of them, or they end each other's login`,
        );
    });
  },
});

const list = defineCommand({
  meta: { name: "codexlb account list", description: "List the enrolled accounts" },
  args: { ...ROOT_FLAG },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const accounts = await withAccountsReadOnly(context, (ops) => ops.list());
    if (accounts.length === 0) return void process.stdout.write("no accounts\n");
    const nowMs = context.deps.clock.now();
    for (const account of [...accounts].sort((a, b) => (a.alias < b.alias ? -1 : 1))) {
      const left = account.cooldownUntilMs - nowMs;
      const state =
        left > 0 ? `cooldown(${Math.floor(left / 1000) + 1}s)` : account.enabled ? "ready" : "disabled";
      process.stdout.write(`${account.alias}\t${account.id}\t${account.email ?? "-"}\t${state}\n`);
    }
  },
});

const rm = defineCommand({
  meta: { name: "codexlb account rm", description: "Remove an account and its stored login" },
  args: { ...ROOT_FLAG, alias: ALIAS },
  run: async ({ args, rawArgs }) => {
    const name = onlyAlias("rm", rawArgs);
    const alias = await withAccounts(contextOf(args.root), (ops) => ops.remove(name));
    process.stdout.write(`removed account ${alias}\n`);
  },
});

const pin = defineCommand({
  meta: { name: "codexlb account pin", description: "Use this account for everything while it can serve" },
  args: { ...ROOT_FLAG, alias: ALIAS },
  run: async ({ args, rawArgs }) => {
    const name = onlyAlias("pin", rawArgs);
    const alias = await withAccounts(contextOf(args.root), (ops) => ops.pin(name));
    process.stdout.write(`pinned account ${alias}\n`);
  },
});

const unpin = defineCommand({
  meta: { name: "codexlb account unpin", description: "Let the policy choose again" },
  args: { ...ROOT_FLAG },
  run: async ({ args, rawArgs }) => {
    if (rawArgs.length > 0) throw usage("account unpin takes no arguments");
    await withAccounts(contextOf(args.root), (ops) => ops.unpin());
    process.stdout.write("unpinned account selection\n");
  },
});

export default defineCommand({
  meta: { name: "codexlb account", description: "Enrol, list, pin and remove accounts" },
  subCommands: { import: importCommand, list, rm, pin, unpin },
});

// --- internal ---

function onlyAlias(command: string, words: readonly string[]): string {
  const [alias, ...surplus] = words;
  if (alias === undefined || surplus.length > 0) throw usage(`account ${command} takes one alias`);
  return alias;
}
