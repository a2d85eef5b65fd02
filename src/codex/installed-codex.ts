// Finds the installed Codex and its version.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Deps } from "../deps.ts";
import { childEnvironment } from "./run.ts";
import { runWatched } from "./watched.ts";

/** The Codex that a name or path leads to. */
export interface InstalledCodex {
  /** Absolute, as found on the PATH. */
  readonly path: string;
  /** Such as `0.171.0`; undefined if the program does not print the version of a Codex. */
  readonly version: string | undefined;
  /** What `--version` prints, at most 200 characters. */
  readonly output: string;
}

/**
 * The Codex that `binary`, a name or a path, leads to; undefined if there is no such program. Runs it with `--version`,
 * for at most 10 s; `signal` ends it earlier.
 */
export async function installedCodex(
  binary: string,
  env: Deps["env"],
  signal?: AbortSignal,
): Promise<InstalledCodex | undefined> {
  const path = Bun.which(binary, { PATH: env.PATH ?? "" });
  if (path === null) return undefined;
  const timeout = AbortSignal.timeout(VERSION_TIMEOUT_MS);
  // Codex writes to its home at every start, and the user's own home must stay unchanged.
  const home = mkdtempSync(join(tmpdir(), "codexlb-version-"));
  try {
    const text = await outputOf([path, "--version"], {
      env: { ...childEnvironment(env), CODEX_HOME: home },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const version = /codex\S*\s+(\d+\.\d+\.\d+\S*)/i.exec(text)?.[1];
    return { path, version, output: text.trim().slice(0, SHOWN_LENGTH) };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Runs a program without a terminal until it exits or `signal` ends it. Resolves to its output. */
export async function outputOf(
  argv: string[],
  options: {
    readonly env: Record<string, string | undefined>;
    readonly cwd?: string;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  await runWatched(argv, {
    ...options,
    output: (chunk) => {
      text += decoder.decode(chunk, { stream: true });
    },
  });
  return text;
}

// --- internal ---

const VERSION_TIMEOUT_MS = 10_000;
const SHOWN_LENGTH = 200;
