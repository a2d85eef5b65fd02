// `codexlb account export`: writes the login of an account as an auth.json for a Codex home.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { exportedAuthFile } from "../../auth/exported-file.ts";
import { authFileOf } from "../../auth/homes.ts";
import { isLoginCode, reasonWords } from "../../core/reason-words.ts";
import { CodexlbError } from "../../errors.ts";
import { printMessage } from "../../print.ts";
import { unusable, writeFileAtomic } from "../../state/atomic-file.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf, requireRoot } from "../context.ts";
import { usage } from "../flags.ts";
import { printOnce } from "../terminal/standard-output.ts";
import { placeHere } from "./account-place.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb account export",
    description: "Write the login of an account to an auth.json for Codex",
  },
  args: {
    ...ROOT_FLAG,
    to: {
      type: "string",
      description: "File or Codex home to write (-: standard output; default ./auth.json)",
      valueHint: "PATH",
    },
    force: { type: "boolean", description: "Replace an existing file, or print the login on a terminal" },
    alias: { type: "positional", description: "Alias or id of the account", valueHint: "ALIAS" },
  },
  run: async ({ args, rawArgs }) => {
    const [name, ...surplus] = rawArgs;
    if (!name?.trim() || surplus.length > 0) throw usage("account export takes one alias");
    const force = args.force ?? false;
    const context = contextOf(args.root);
    requireRoot(context);
    const path = targetOf(args.to?.trim() || ".");
    if (path === undefined) refuseTerminal(force);
    const { status, home } = await withAccounts(context, await placeHere(context), { write: false }, (ops) =>
      ops.show(name),
    );
    if (path !== undefined) refuseTarget(path, context.layout.root, status.alias, force);
    const text = exportedAuthFile(readLogin(home), authFileOf(home), status.api_key?.cap_usd);
    if (path === undefined) await printOnce(text);
    else {
      writeFileAtomic(path, text);
      printMessage(`exported account ${status.alias} to ${path}`);
    }
    if (status.api_key !== undefined) return; // a key can be used in several places
    if (isLoginCode(status.disabled_reason))
      context.deps.log.warn(
        `the exported login no longer works (${reasonWords(status.disabled_reason)}); log in again with: ${advised("account login", status.alias)}`,
      );
    context.deps.log.warn(
      `a login must be in one place: the first token refresh of one copy invalidates the other. Before you use the exported login, run: ${advised("account rm", status.alias)} (or: ${advised("account disable", status.alias)})`,
    );
  },
});

// --- internal ---

const STANDARD_OUTPUT = "-";

/** The file to write; undefined: standard output. */
function targetOf(to: string): string | undefined {
  if (to === STANDARD_OUTPUT) return undefined;
  const path = resolve(to);
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isDirectory ? join(path, "auth.json") : path;
}

function refuseTerminal(force: boolean): void {
  if (process.stdout.isTTY !== true || force) return;
  throw usage(
    "account export: standard output is a terminal, and the login is a secret",
    "name a file with --to, redirect the output, or add --force to print it anyway",
  );
}

/** Throws `invalid_request` for a file of codexlb, and for an existing file without `force`. */
function refuseTarget(path: string, root: string, alias: string, force: boolean): void {
  if (path.startsWith(`${resolve(root)}${sep}`))
    throw new CodexlbError("invalid_request", `${path} is in the root of codexlb`, {
      next: `name a file elsewhere with --to; to enrol the login again, use: ${advised("account import")}`,
    });
  if (existsSync(path) && !force)
    throw new CodexlbError("invalid_request", `${path} exists`, {
      next: `name another file with --to, or replace it with --force: ${advised("account export", "--to", path, "--force", alias)}`,
    });
}

function readLogin(home: string): string {
  const path = authFileOf(home);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unusable(`reading ${path}`, error);
  }
}
