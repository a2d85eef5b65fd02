// Chooses the path under which a service finds this executable even after an upgrade.

import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { advised } from "../../advice.ts";
import type { Deps } from "../../deps.ts";

export interface ExecutablePlace {
  /** The real path of the executable. */
  readonly executable: string;
  /** The path or the name that started it, `process.argv0`. */
  readonly startedAs: string;
}

/**
 * A path of the executable that stays valid after an upgrade: the one on PATH, else the one that started it, else
 * Homebrew's link to the installed version. The real path if none of them leads to the executable.
 */
export function lastingPath({ executable, startedAs }: ExecutablePlace, { PATH = "" }: Deps["env"]): string {
  const onPath = Bun.which("codexlb", { PATH });
  const candidates = [
    ...(onPath === null ? [] : [resolve(onPath)]),
    ...(startedAs.includes("/") ? [resolve(startedAs)] : []),
    ...homebrewLinks(executable),
  ];
  const lasting = candidates.find((path) => !VERSIONED.test(path) && isSame(path, executable));
  return lasting ?? executable;
}

/** A warning about an executable that will disappear from `path`; undefined if it will probably stay. */
export function pathWarning(path: string): string | undefined {
  if (TEMPORARY.test(path))
    return `${path} is in a cache that will be cleared; install codexlb permanently (npm install --global codexlb), then run ${advised("service install")} again`;
  if (VERSIONED.test(path))
    return `an upgrade removes ${path}; name a path without the version with --binary`;
  return undefined;
}

// --- internal ---

/** Directories whose names contain the version: Homebrew's and Nix's. */
const VERSIONED = /\/Cellar\/|^\/nix\/store\//;
/** The caches of npx, bunx, and the dlx commands of pnpm and yarn. */
const TEMPORARY = /\/_npx\/|\/bunx-|\/dlx[-/]/;

/** The links that Homebrew moves to the new version. */
function homebrewLinks(executable: string): string[] {
  const [, prefix, formula, below] = /^(.*)\/Cellar\/([^/]+)\/[^/]+\/(.+)$/.exec(executable) ?? [];
  return prefix === undefined ? [] : [`${prefix}/${below}`, `${prefix}/opt/${formula}/${below}`];
}

function isSame(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}
