// Logs an account in with `codex login`, in a fresh home that replaces the account's home only after the login
// succeeded. Codex first revokes the login of the home in which it runs, so that must never be the home of an enrolled
// account.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { advised } from "../advice.ts";
import type { AccountOps, ImportFiles, ImportResult } from "../auth/account-ops.ts";
import { parseAuthFile } from "../auth/auth-file.ts";
import { checkEnrolment } from "../auth/enrolment-target.ts";
import { authFileOf, checkAlias } from "../auth/homes.ts";
import { newLoginHome, sweepLogins } from "../auth/leftovers.ts";
import type { LoginEnd, Logins } from "../auth/logins.ts";
import { checkNetwork, namesIssuer, type OAuthDeps } from "../auth/oauth.ts";
import { withTokenOwner } from "../auth/token-owner.ts";
import { counted } from "../core/count-words.ts";
import { REPORT_BUG } from "../core/project-pages.ts";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";
import { formatToml, parseToml, type TomlTable } from "../state/toml.ts";
import { cancelledLogin, cancellingSignal } from "./cancelled-login.ts";
import { loginWithoutCodex } from "./own-login.ts";
import { childEnvironment, INSTALL_CODEX, onTerminal } from "./run.ts";
import { runWatched } from "./watched.ts";

/** Enrols the new login; part of `AccountOps`. */
interface Enroller {
  import(alias: string, files: ImportFiles): Promise<Pick<ImportResult, "total">>;
}

export interface LoginOptions {
  readonly layout: Layout;
  readonly binary: string;
  /** All arguments, `login` included. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly alias: string;
  readonly replace: boolean;
  readonly ops: Enroller;
  /** Gets the output of codex; undefined: codex uses the terminal. */
  readonly watch?: { readonly output: (chunk: Uint8Array) => void; readonly signal: AbortSignal };
}

/** Logs in and enrols the account. Throws the errors of the enrolment, `codex_not_found` and `invalid_alias`. */
export async function loginAccount(options: LoginOptions): Promise<LoginEnd> {
  const { layout, alias, binary } = options;
  checkAlias(alias);
  requireCodex(binary, options.args);
  sweepLogins(layout);
  const { path: home, release } = newLoginHome(layout);
  let keep = false;
  try {
    writeFileAtomic(join(home, "config.toml"), configFor(join(layout.accounts, alias, "config.toml")));
    const exitCode = await runLogin(options, home);
    // A proxy ends a login that it runs for a client by a signal, too, which no user has sent.
    const signal = options.watch === undefined ? cancellingSignal(exitCode) : undefined;
    if (signal !== undefined) return { kind: "failed", exitCode, error: cancelledLogin(signal) };
    if (exitCode !== 0)
      return failed(exitCode, `codex login exited with code ${exitCode}; nothing was changed`);
    const found = readTextIfPresent(authFileOf(home));
    if (found === undefined)
      return failed(1, "codex login succeeded, but wrote no auth.json; nothing was changed");
    const auth = await withTokenOwner(found, "the new auth.json", options);
    parseAuthFile(auth, "the new auth.json");
    try {
      const { total } = await options.ops.import(alias, {
        auth,
        config: undefined,
        replace: options.replace,
      });
      return { kind: "registered", total };
    } catch (error) {
      keep = true;
      if (!(error instanceof CodexlbError)) throw error;
      const from = (...args: readonly string[]) => advised("account import", "--from", home, ...args);
      throw new CodexlbError(error.code, error.message, {
        next:
          error.code === "already_enrolled"
            ? `the login is kept; to update that account with it: ${from()}; to enrol it a second time: ${from("--replace", alias)}; then delete ${home}`
            : `the login is kept; enrol it with: ${from("OTHER_ALIAS")} (or --replace ${alias}), then delete ${home}`,
      });
    }
  } finally {
    if (!keep) rmSync(home, { recursive: true, force: true });
    release();
  }
}

export interface ServerLoginsOptions {
  readonly layout: Layout;
  readonly deps: OAuthDeps;
  /** `commands.login` of the settings. */
  readonly command: () => readonly string[];
  readonly ops: Pick<AccountOps, "import" | "list">;
}

/** Logins on this machine for clients elsewhere. The settings decide which program runs, never the request. */
export function createServerLogins({ layout, deps, command, ops }: ServerLoginsOptions): Logins {
  const { env } = deps;
  let running = 0;
  const stopping = new AbortController();
  const binary = codexBinary(undefined, env);
  const argsOf = (args: readonly string[]) => loginArguments(command(), args);
  return {
    check: async ({ alias, args, replace }) => {
      checkEnrolment({ alias, kind: "login", replace }, await ops.list());
      refuseArguments(args);
      if (!isOwnLogin(binary, env))
        requireCodex(binary, argsOf(args), "install Codex on the proxy's machine");
      if (running >= MOST_LOGINS)
        throw new CodexlbError("invalid_request", `${counted(running, "other login")} in progress`, {
          next: "finish one of them, or try again later",
        });
    },
    run: async ({ alias, args, replace, output, signal }) => {
      const watch = {
        output,
        signal: AbortSignal.any([signal, stopping.signal, AbortSignal.timeout(LONGEST_LOGIN_MS)]),
      };
      running++;
      try {
        if (isOwnLogin(binary, env)) {
          const say = (text: string) => output(new TextEncoder().encode(text));
          const auth = await loginWithoutCodex(deps, [DEVICE_FLOW], say, watch.signal);
          const { total } = await ops.import(alias, { auth, config: undefined, replace });
          return { kind: "registered", total };
        }
        const end = await loginAccount({
          layout,
          binary,
          args: argsOf(args),
          env,
          alias,
          replace,
          ops,
          watch,
        });
        return end.kind === "failed" && stopping.signal.aborted ? STOPPED : end;
      } catch (error) {
        if (stopping.signal.aborted) return STOPPED;
        return {
          kind: "failed",
          exitCode: 1,
          error: error instanceof CodexlbError ? error : internal(error),
        };
      } finally {
        running--;
      }
    },
    stop: () => stopping.abort(),
  };
}

/** The name to look up on PATH by default. */
const DEFAULT_CODEX = "codex";

/** The Codex executable: the flag, `CODEXLB_CODEX_BIN`, `codex`. */
export function codexBinary(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  return flag?.trim() || env.CODEXLB_CODEX_BIN?.trim() || DEFAULT_CODEX;
}

/** True if codexlb logs in itself: no codex was named, and none is installed or it would use another sign-in. */
export function isOwnLogin(binary: string, env: Readonly<Record<string, string | undefined>>): boolean {
  if (binary !== DEFAULT_CODEX) return false;
  return namesIssuer({ env }) || Bun.which(binary, { PATH: env.PATH ?? "" }) === null;
}

/**
 * Throws `codex_not_found` in the words of Go, because the Go program's client looks for them and then logs in itself.
 */
export function requireCodex(binary: string, args: readonly string[], next = INSTALL_CODEX): void {
  if (Bun.which(binary) !== null) return;
  throw new CodexlbError(
    "codex_not_found",
    `run ${[binary, ...args].join(" ")}: exec: "${binary}": executable file not found in $PATH`,
    { next },
  );
}

/** `commands.login` and `args`. Without `args` the device flow, which needs no browser on the machine where codex runs. */
export function loginArguments(command: readonly string[], args: readonly string[]): string[] {
  const device = args.length === 0 && !command.includes(DEVICE_FLOW) ? [DEVICE_FLOW] : args;
  return [...command, ...device];
}

// --- internal ---

const DEVICE_FLOW = "--device-auth";
/** The arguments that clients elsewhere may give: none that names a program, a file or another server. */
const ALLOWED_ARGUMENTS: ReadonlySet<string> = new Set([DEVICE_FLOW]);
const MOST_LOGINS = 4;
/** The code of the device flow is valid for 15 minutes. */
const LONGEST_LOGIN_MS = 20 * 60_000;

const STOPPED: LoginEnd = {
  kind: "failed",
  exitCode: 1,
  error: new CodexlbError("login_failed", "the proxy shut down during the login; nothing was changed", {
    next: "log in again after the proxy has started",
  }),
};

function refuseArguments(args: readonly string[]): void {
  const refused = args.find((word) => !ALLOWED_ARGUMENTS.has(word));
  if (refused === undefined) return;
  throw new CodexlbError(
    "invalid_request",
    `login_args: ${JSON.stringify(refused)} is not allowed over the API`,
    {
      next: `use ${[...ALLOWED_ARGUMENTS].join(", ")} or no argument; set others in commands.login in the proxy's config.toml`,
    },
  );
}

/** The account's own settings, with credentials in a file, because codexlb cannot read a keyring. */
function configFor(accountConfig: string): string {
  const own: TomlTable = parseToml(readTextIfPresent(accountConfig) ?? "");
  return formatToml({ ...own, cli_auth_credentials_store: "file" });
}

async function runLogin({ binary, args, env, watch }: LoginOptions, home: string): Promise<number> {
  const childEnv = { ...childEnvironment(env), CODEX_HOME: home };
  try {
    return watch === undefined
      ? await onTerminal([binary, ...args], childEnv)
      : await runWatched([binary, ...args], { env: childEnv, ...watch });
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") requireCodex(binary, args);
    throw error;
  }
}

function failed(exitCode: number, why: string): LoginEnd {
  const next = `try again; if codex could not connect, ${checkNetwork()}`;
  return { kind: "failed", exitCode, error: new CodexlbError("login_failed", why, { next }) };
}

function internal(error: unknown): CodexlbError {
  return new CodexlbError("internal", error instanceof Error ? error.message : String(error), {
    next: `${REPORT_BUG}, with the output of codex`,
    cause: error,
  });
}
