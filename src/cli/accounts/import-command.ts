// `codexlb account import`: enrols the login of a Codex home on this machine, or the logins in the files of another
// program.

import { existsSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { authFileOf, checkAlias } from "../../auth/homes.ts";
import { findLogins, ignoredLogins, type SourceLogin } from "../../auth/import/find-logins.ts";
import type { FoundLogin } from "../../auth/import/format.ts";
import { LOGIN_FORMATS } from "../../auth/import/formats.ts";
import { keyringOf, userHomes } from "../../codex/home.ts";
import { type Log, systemDeps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { print, printJson, printMessage } from "../../print.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { REMOTE_FLAGS, type RemoteFlags, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { openSecretLines } from "../login-with/secret-lines.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { type Place, placeHere, placeOf } from "./account-place.ts";
import { type ImportTarget, importLogin, planLogin, type ReadyLogin, readyLogin } from "./import-login.ts";
import { type ImportOptions, importMany } from "./import-many.ts";
import { importSummary, importTable, oneOwnerNotice, wasTaken } from "./import-report.ts";
import { withAccounts } from "./with-accounts.ts";

/** The other programs whose logins the command reads. */
const PROGRAMS = [...new Set(LOGIN_FORMATS.map(({ program }) => program))]
  .filter((program) => program !== "Codex")
  .sort();

export default defineCommand({
  meta: {
    name: "codexlb account import",
    description: "Enrol the login of a Codex home, or all logins in the files of another program",
  },
  args: {
    ...ROOT_FLAG,
    from: {
      type: "string",
      description: `Codex home with the login, or its auth.json (CODEX_HOME; default ~/.codex). Also a file or directory with logins of ${PROGRAMS.join(", ")}, or with several auth.json files`,
      valueHint: "PATH",
    },
    into: {
      type: "string",
      description:
        "Destination. local: the root on this machine (default). proxy: the proxy that --proxy-url or the settings name (default with --proxy-name)",
      valueHint: "local|proxy",
    },
    ...REMOTE_FLAGS,
    replace: {
      type: "boolean",
      description:
        "Enrol the login even if the alias belongs to another account or has a newer login, or if another alias has the same login",
    },
    force: { type: "boolean", description: "The same as --replace" },
    "dry-run": { type: "boolean", description: "Show what would be imported, and change nothing" },
    "passphrase-stdin": {
      type: "boolean",
      description: "Read the passphrase of an encrypted export from the first line of standard input",
    },
    json: { type: "boolean", description: "Print what happened to each login as JSON" },
    alias: {
      type: "positional",
      description: "Name that you choose for the account. A path before it counts as --from",
      valueHint: "ALIAS",
      required: false,
    },
  },
  run: async ({ args, rawArgs }) => {
    const home = userHomes(systemDeps().env)[0] ?? ".";
    const { path, alias } = pathAndAlias(rawArgs, args.from, home);
    const dryRun = args["dry-run"] ?? false;
    const json = args.json ?? false;
    const context = contextOf(args.root, { createsRoot: !dryRun });
    const { deps } = context;
    const fallback = args["proxy-name"]?.trim() ? "proxy" : "local";
    const place = await placeFor(context, args.into?.trim().toLowerCase() || fallback, args);
    if (alias !== undefined) checkAlias(alias);
    const from = resolve(path || home);
    const passphrase = args["passphrase-stdin"] ? await readPassphrase() : undefined;
    const logins = findLogins(from, { passphrase }) ?? [{ ...codexLogin(from), program: "Codex" }];
    if (alias !== undefined) refuseCommonAlias(alias, logins, from);
    reportIgnored(from, deps.log);
    const [only] = logins;
    const isOne = logins.length === 1 && only?.kind === "login" && only.program === "Codex";
    const replace = args.replace || args.force || false;
    await withAccounts(context, place, { write: !dryRun }, async (ops) => {
      const target = { deps, ops, replace, isElsewhere: place.kind === "remote" };
      if (isOne && !dryRun && !json) return importOnly(codexLogin(only.path), alias, target);
      await importAll(logins, from, { ...target, named: alias, dryRun, json });
    });
  },
});

// --- internal ---

/**
 * The path of the login and the alias in `words`. A path in the place of the alias is recognized. `home`: the Codex home
 * that is read by default. Throws `usage`.
 */
function pathAndAlias(
  words: readonly string[],
  from: string | undefined,
  home: string,
): { readonly path: string | undefined; readonly alias: string | undefined } {
  const given = from?.trim() || undefined;
  const [first, second, ...surplus] = words;
  const isFirstPath = given === undefined && first !== undefined && isPath(first);
  if (surplus.length > 0 || (second !== undefined && !isFirstPath))
    throw usage("account import takes one alias at most");
  if (given === undefined && !isFirstPath && first !== undefined) refuseFileName(first, home);
  return isFirstPath ? { path: first, alias: second } : { path: given, alias: first };
}

/** True if a word cannot be an alias, or is the name of a login file. */
function isPath(word: string): boolean {
  return /[/\\]|^\.\.?$/.test(word) || (word.endsWith(".json") && existsSync(word));
}

/** Throws `usage` for an alias that is also the name of a file or directory here, because it can mean either. */
function refuseFileName(word: string, home: string): void {
  const stats = statSync(word, { throwIfNoEntry: false });
  if (stats === undefined) return;
  throw usage(
    `account import: ${JSON.stringify(word)} is a ${stats.isDirectory() ? "directory" : "file"} here, and could also be an alias`,
    `to import from it, run: ${advised("account import", "--from", word)} (or write ./${word}); to use the name as an alias, run: ${advised("account import", "--from", home, word)}`,
  );
}

async function placeFor(context: CommandContext, into: string, flags: RemoteFlags): Promise<Place> {
  if (into === "local") {
    for (const flag of ["proxy-url", "proxy-name"] as const)
      if (flags[flag] !== undefined)
        context.deps.log.warn(
          `--${flag} is ignored: without --into proxy, the account goes to the root on this machine`,
        );
    return placeHere(context);
  }
  if (into !== "proxy") throw usage("--into must be one of: local, proxy");
  const place = await placeOf(context, flags);
  // The user asked for the proxy, so an unreachable proxy is an error. The account must not go anywhere else.
  if (place.kind === "remote") return { ...place, fallback: false };
  throw usage(
    "--into=proxy requires --proxy-url, CODEXLB_PROXY_URL or proxy.proxy_url in config.toml",
    "without --into, the account goes to the root on this machine and the proxy running on it",
  );
}

/** The only login in `given`, a Codex home or a login file. Throws `invalid_auth_file`. */
function codexLogin(given: string): FoundLogin {
  const isFile = statSync(given, { throwIfNoEntry: false })?.isFile() === true;
  const home = isFile ? dirname(given) : given;
  const path = isFile ? given : authFileOf(given);
  const auth = readTextIfPresent(path);
  if (auth === undefined) throw noLogin(home, path);
  return { kind: "login", path, auth, home };
}

/** Throws `usage` if there are several logins that would get `alias`. */
function refuseCommonAlias(alias: string, logins: readonly SourceLogin[], from: string): void {
  const usable = logins.filter(({ kind }) => kind === "login").length;
  if (usable <= 1) return;
  throw usage(
    `account import: ${from} contains ${usable} logins, so the alias ${alias} cannot name them`,
    "leave the alias out, or name one file with --from",
  );
}

/** Reports logins in a Codex home that are not read, because the home has its own login. */
function reportIgnored(from: string, log: Log): void {
  const [first, ...others] = ignoredLogins(from);
  if (first === undefined) return;
  const files = [first, ...others].map((file) => relative(from, file));
  log.info(
    `only ${authFileOf(from)} is read; other logins there: ${files.join(", ")} (to import one, run: ${advised("account import", "--from", first)})`,
  );
}

async function readPassphrase(): Promise<string> {
  const lines = openSecretLines();
  try {
    return await lines.next("Passphrase: ");
  } finally {
    lines.close();
  }
}

/** Enrols the login of Codex, and prints one line. */
async function importOnly(
  login: FoundLogin,
  named: string | undefined,
  given: Omit<ImportTarget, "reserved">,
): Promise<void> {
  const target = { ...given, reserved: [] };
  const { log } = target.deps;
  const ready = await readyLogin(login, target.deps);
  for (const warning of loginWarnings(ready)) log.warn(warning);
  const planned = await planLogin(ready, named, target);
  const { change, total } = await importLogin(planned, target);
  printMessage(`${change} account ${planned.alias} (total=${total})`);
}

/** What a login lacks that others have. An API key lacks nothing. */
function loginWarnings({ login, auth, credentials }: ReadyLogin): string[] {
  const { refreshToken, accountId, apiBaseUrl } = credentials;
  if (apiBaseUrl !== undefined) return [];
  const renewal =
    auth === login.auth
      ? "this login has no refresh token: it expires with its access token"
      : "this is a personal access token: it cannot be renewed and works until it expires or is revoked";
  return [
    ...(refreshToken === undefined ? [renewal] : []),
    ...(accountId === undefined
      ? ["this login does not name its ChatGPT account, so the backend may refuse it"]
      : []),
  ];
}

/** Enrols all logins, and prints what happened to each one. Throws `invalid_auth_file` if none is enrolled afterwards. */
async function importAll(
  logins: readonly SourceLogin[],
  from: string,
  options: ImportOptions & { readonly json: boolean },
): Promise<void> {
  const { deps, dryRun, json } = options;
  const outcomes = await importMany(logins, options);
  const { length: total } = await options.ops.list();
  if (json) printJson({ dry_run: dryRun, logins: outcomes, total }, 2);
  else {
    print(importTable(outcomes, dryRun, terminalFrame(deps.env)));
    print(importSummary(outcomes, dryRun, total));
  }
  if (outcomes.some(wasTaken)) {
    const notice = oneOwnerNotice(outcomes, from);
    if (!dryRun && notice !== undefined) deps.log.info(notice);
    return;
  }
  if (outcomes.every(({ result }) => result !== "skipped")) return;
  const enrolled = outcomes.filter(({ result }) => result !== "skipped").length;
  if (enrolled > 0)
    throw new CodexlbError(
      "invalid_auth_file",
      `${from} contains no new login: ${enrolled} of ${outcomes.length} are enrolled already, and the others cannot be used`,
      { next: "the table above gives the reasons; the enrolled accounts work as before" },
    );
  throw new CodexlbError("invalid_auth_file", `${from} contains no login that could be imported`, {
    next: `log in with: ${advised("account login", "ALIAS")}`,
  });
}

/** The error for a home without auth.json. The login may be in the keyring instead. */
function noLogin(from: string, path: string): CodexlbError {
  const store = keyringOf(from);
  if (store === undefined)
    return new CodexlbError("invalid_auth_file", `reading ${path}: no such file`, {
      next: `name the Codex home with --from, or log in with: ${advised("account login", "ALIAS")}`,
    });
  return new CodexlbError(
    "invalid_auth_file",
    `${from} keeps its login in the system keyring (cli_auth_credentials_store = ${JSON.stringify(store)}), which codexlb cannot read`,
    { next: `log in again, into a file: ${advised("account login", "ALIAS")}` },
  );
}
