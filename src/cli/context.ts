// What every command needs: the root, the clock, the environment, the log.

import { existsSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { advised } from "../advice.ts";
import type { Deps } from "../deps.ts";
import { systemDeps } from "../deps.ts";
import { CodexlbError, type ErrorCode, systemCodeOf } from "../errors.ts";
import { quote } from "../quote.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import { type Layout, layoutOf, namedRoot, rootFrom } from "../state/layout.ts";
import { tryLock } from "../state/lock.ts";

/** The root of a command and its means to work on it. */
export interface CommandContext {
  readonly deps: Deps;
  readonly layout: Layout;
  /** True if the user named the root, by flag or variable. */
  readonly rootNamed: boolean;
  /** True if the command creates a root that does not exist. */
  readonly createsRoot: boolean;
}

/** What to do first if a root that the user named does not exist. */
export const CHECK_ROOT = "check --root and CODEXLB_ROOT (default: ~/.codex-lb)";

/**
 * The context of a command; `root` is `--root`. `createsRoot`: the command creates a missing root (default: false).
 * Throws `file_unusable` for a root that is not a directory.
 */
export function contextOf(
  root: string | undefined,
  { createsRoot = false }: { readonly createsRoot?: boolean } = {},
): CommandContext {
  const deps = systemDeps();
  const layout = layoutOf(rootFrom(root, deps.env));
  if (!mayBeDirectory(layout.root))
    throw new CodexlbError("file_unusable", `the root ${layout.root} is not a directory`, {
      next: "choose another --root",
    });
  return { deps, layout, rootNamed: namedRoot(root, deps.env) !== undefined, createsRoot };
}

/** False for a root that does not exist yet. Commands that only read need not create it. */
export function rootExists({ layout }: CommandContext): boolean {
  return existsSync(layout.root);
}

/** Warns if the user named a root that does not exist, unless the command creates it. The name may be misspelled. */
export function warnOfMissingRoot(context: CommandContext): void {
  if (isMisnamed(context)) context.deps.log.warn(`the root ${context.layout.root} does not exist`);
}

/**
 * Throws `not_found` if the user named a root that does not exist. `needsAccounts` is false for a command that uses a
 * named proxy, because its root then needs no accounts (default: true).
 */
export function requireRoot(context: CommandContext, { needsAccounts = true } = {}): void {
  const { root } = context.layout;
  if (!isMisnamed(context)) return;
  const create = needsAccounts ? advised("account import") : `mkdir -p -m 700 ${quote(root)}`;
  throw new CodexlbError("not_found", `the root ${root} does not exist`, {
    next: `${CHECK_ROOT}, or create it with: ${create}`,
  });
}

/**
 * `error` with the advice to check the root first, if an account was not found or no proxy answers, and the user named a
 * root that does not exist: by flag (`root`, "" if absent) or variable. Other errors stay as they are.
 */
export function withRootCheck(error: unknown, root: string, env: Deps["env"]): unknown {
  if (!(error instanceof CodexlbError) || !OF_MISSING_ROOTS.has(error.code)) return error;
  const named = namedRoot(root, env);
  if (named === undefined || existsSync(named)) return error;
  const { code, message, next, exitCode } = error;
  return new CodexlbError(code, message, { next: `${CHECK_ROOT}, or ${next}`, exitCode, cause: error });
}

/** Creates the root if it does not exist, and reports that. Throws `file_unusable`. */
export function createRoot(context: CommandContext): void {
  const isNew = !rootExists(context);
  makePrivateDirectory(context.layout.root);
  if (isNew) reportNewRoot(context);
}

/** Removes the root that this command has just created, and reports that. A root that another process uses stays. */
export function removeNewRoot({ deps, layout }: CommandContext): void {
  if (!existsSync(layout.root)) return;
  const lock = tryLock(layout.lock);
  if (lock === undefined) return;
  try {
    if (existsSync(layout.accounts) && readdirSync(layout.accounts).length > 0) return;
    rmSync(layout.root, { recursive: true });
    deps.log.info(`removed the new root ${layout.root}`);
  } finally {
    lock.release();
  }
}

/**
 * Removes the root that this command has just created, after an error before anything was written there. The command
 * holds the lock. A root with more than the lock's file stays, and is reported.
 */
export function removeEmptyRoot(context: CommandContext): void {
  const { root, lock } = context.layout;
  if (!existsSync(root)) return;
  if (readdirSync(root).some((name) => join(root, name) !== lock)) return reportNewRoot(context);
  rmSync(lock, { force: true });
  rmdirSync(root);
}

/** Reports that the command has created the root. */
export function reportNewRoot({ deps, layout }: CommandContext): void {
  deps.log.info(`created ${layout.root}`);
}

// --- internal ---

/** Errors that a misspelled root causes. */
const OF_MISSING_ROOTS: ReadonlySet<ErrorCode> = new Set(["account_not_found", "proxy_unreachable"]);

function isMisnamed(context: CommandContext): boolean {
  return context.rootNamed && !context.createsRoot && !rootExists(context);
}

/** False if the path or a part of it exists and is not a directory. Other errors appear when the root is used. */
function mayBeDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false;
  } catch (error) {
    return systemCodeOf(error) !== "ENOTDIR";
  }
}
