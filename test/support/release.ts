// Builds releases from clones of the working tree, in which all changes are committed.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { BUN_VERSION, fetchRuntime, TOOLS } from "../../scripts/bun-runtime.mjs";
import { readCommit } from "../../scripts/commit.ts";
import { RELEASE_TARGETS, type ReleaseTarget, runtimeNameOf } from "../../scripts/targets.ts";

export const RELEASE_VERSION = "1.2.3-rc.1";

/** A clone of the project with its packages installed and no uncommitted changes. */
export interface Checkout {
  readonly path: string;
  /** The first twelve digits. */
  readonly commit: string;
  /** Runs the release script with PATH, HOME and `env`. */
  release(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<ReleaseResult>;
}

export interface ReleaseResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The release of every target: its directory, and the checkout in which it was built. Built once for all tests. */
export async function wholeRelease(): Promise<{ readonly checkout: Checkout; readonly directory: string }> {
  whole ??= buildWhole();
  return whole;
}

/** The path of the archive for `target` in `directory`. */
export function archiveOf(directory: string, target: ReleaseTarget): string {
  return join(directory, `codexlb-${RELEASE_VERSION}-${target}.tar.gz`);
}

/** Unpacks the whole release's archive for `target` below `directory`. Returns the path of its top directory. */
export async function unpack(target: ReleaseTarget, directory: string): Promise<string> {
  const release = await wholeRelease();
  await succeed(["tar", "-xzf", archiveOf(release.directory, target), "-C", directory], directory);
  return join(directory, `codexlb-${RELEASE_VERSION}-${target}`);
}

/** Creates a checkout at `path`. The same working tree always gives the same commit. */
export async function checkOut(path: string): Promise<Checkout> {
  const listed = await succeed(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    PROJECT,
  );
  for (const file of listed.split("\0").filter((name) => name !== "")) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    cpSync(join(PROJECT, file), join(path, file), { force: true });
  }
  for (const target of RELEASE_TARGETS) fetchRuntime(runtimeNameOf(target));
  // git would see a link to the whole directory as an untracked file.
  mkdirSync(join(path, ".tools"));
  for (const name of readdirSync(TOOLS))
    if (name.startsWith(`bun-${BUN_VERSION}`) || name === "bun-cache")
      symlinkSync(join(TOOLS, name), join(path, ".tools", name));
  const install = [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"];
  await succeed(install, path, { BUN_INSTALL_CACHE_DIR: join(path, ".tools", "bun-cache") });
  await succeed(["git", "init", "--quiet"], path, GIT);
  await succeed(["git", "add", "--all"], path, GIT);
  await succeed(["git", "commit", "--quiet", "--message=release"], path, GIT);
  return {
    path,
    commit: readCommit(path)?.hash ?? "",
    release: (args, env) => run([process.execPath, "scripts/release/release.ts", ...args], path, env),
  };
}

// --- internal ---

const PROJECT = join(import.meta.dir, "../..");
const GIT = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_AUTHOR_DATE: "2026-01-31T12:00:00Z",
  GIT_COMMITTER_NAME: "test",
  GIT_COMMITTER_EMAIL: "test@example.com",
  GIT_COMMITTER_DATE: "2026-01-31T12:00:00Z",
};

let whole: ReturnType<typeof buildWhole> | undefined;

async function buildWhole(): Promise<{ readonly checkout: Checkout; readonly directory: string }> {
  // Create it below the HOME of the tests, which is removed after the last test.
  const directory = mkdtempSync(join(process.env.HOME ?? tmpdir(), "release-"));
  const checkout = await checkOut(join(directory, "whole"));
  const { code, err } = await checkout.release(["--version", RELEASE_VERSION]);
  if (code !== 0) throw new Error(`building the release failed: ${err}`);
  return { checkout, directory: join(checkout.path, "dist/release") };
}

async function succeed(
  command: string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, out, err } = await run(command, cwd, env);
  if (code !== 0) throw new Error(`${command.join(" ")} failed: ${err}`);
  return out;
}

async function run(
  command: string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ReleaseResult> {
  const base = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" };
  const child = Bun.spawn(command, {
    cwd,
    env: { ...base, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}
