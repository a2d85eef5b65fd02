// Replaces an executable atomically: at every moment its path leads to a complete executable.

import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemCodeOf, systemProblem } from "../errors.ts";
import { type RunProgram, whyFailed } from "../service/run-program.ts";

/** The means for a replacement. */
export interface ReplaceTools extends Pick<Deps, "random"> {
  readonly run: RunProgram;
  /** Cancels the replacement. */
  readonly signal?: AbortSignal | undefined;
}

export interface Replacement {
  /** Puts the previous executable back. Throws `upgrade_failed`. */
  undo(): void;
  /** Removes the previous executable. */
  keep(): void;
}

/**
 * Replaces the executable `path` with `content`, and keeps its mode. First runs the new executable, which must report
 * `version`. Processes that run the previous executable continue with it. Changes nothing if it throws
 * `upgrade_failed`.
 */
export async function replaceExecutable(
  path: string,
  content: Uint8Array,
  version: string,
  { run, random, signal }: ReplaceTools,
): Promise<Replacement> {
  const name = `.${basename(path)}.${process.pid}.${Buffer.from(random(4)).toString("hex")}`;
  const beside = join(dirname(path), name);
  const [fresh, previous] = [`${beside}.new`, `${beside}.previous`];
  try {
    writeExecutable(fresh, content, statSync(path));
    const ran = await run([fresh, "--version"], { timeoutMs: VERSION_MS, signal });
    if (ran.code !== 0) throw new Error(`the new executable does not run here: ${whyFailed(ran)}`);
    if (!ran.out.split(/\s/).includes(version))
      throw new Error(
        `the new executable reports the version ${JSON.stringify(ran.out.trim())}, not ${version}`,
      );
    keepAs(path, previous);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    rmSync(previous, { force: true });
    throw failed(path, error);
  }
  return {
    undo: () => {
      try {
        renameSync(previous, path);
      } catch (error) {
        throw failed(path, error);
      }
    },
    keep: () => rmSync(previous, { force: true }),
  };
}

/**
 * Removes the files that killed upgrades of the executable `path` left next to it. Keeps those of an upgrade that runs
 * now. Never throws: the next upgrade tries again.
 */
export function removeLeftovers(path: string): void {
  const directory = dirname(path);
  const prefix = `.${basename(path)}.`;
  try {
    for (const name of readdirSync(directory)) {
      const pid = name.startsWith(prefix) ? LEFTOVER.exec(name.slice(prefix.length))?.[1] : undefined;
      if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(directory, name), { force: true });
    }
  } catch {
    // Files that this user cannot remove do not prevent an upgrade.
  }
}

// --- internal ---

/** The end of the name of a file that `replaceExecutable` creates, with the id of the process that created it. */
const LEFTOVER = /^(\d{1,10})\.[0-9a-f]{8}\.(?:new|previous)$/;

const PERMISSION_BITS = 0o7777;
/** The longest wait for the version of a new executable. It takes less than a second on a slow machine. */
const VERSION_MS = 20_000;

function keepAs(path: string, previous: string): void {
  try {
    linkSync(path, previous);
  } catch {
    // Some file systems have no hard links, and some systems let only the owner of a file link it.
    copyFileSync(path, previous);
  }
}

/** Whether the process `pid` runs. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) !== "ESRCH";
  }
}

/** Writes a new file with the mode of `like`, and with its owner if this process is root. */
function writeExecutable(path: string, content: Uint8Array, like: Stats): void {
  const file = openSync(path, "wx", 0o700);
  try {
    for (let at = 0; at < content.length; ) at += writeSync(file, content, at, content.length - at, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (process.getuid?.() === 0) chownSync(path, like.uid, like.gid);
  chmodSync(path, like.mode & PERMISSION_BITS);
}

function failed(path: string, error: unknown): CodexlbError {
  const code = systemCodeOf(error) ?? "";
  return new CodexlbError("upgrade_failed", `replacing ${path}: ${systemProblem(error)}`, {
    next: NOT_ALLOWED.has(code)
      ? `run it as a user who can write to ${dirname(path)}, for example with sudo`
      : `nothing was changed; ${code === "ENOSPC" ? `free some space on the disk of ${dirname(path)}` : "the installed version still works"}`,
    cause: error,
  });
}

const NOT_ALLOWED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);
