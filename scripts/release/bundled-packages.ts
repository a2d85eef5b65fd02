// The npm packages that become part of the executable, as bun.lock pins them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError } from "../../src/errors.ts";

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** Of the package's archive, as npm names it: `sha512-` and base64. */
  readonly integrity: string;
  /** An SPDX expression, from the package's own description. */
  readonly license: string;
  /** Names of the packages that it needs. */
  readonly needs: readonly string[];
}

/**
 * Every package that the program depends on, directly or not, sorted by name. Development tools are not among them.
 * `directory` is the project's, with its packages installed. Throws `file_unusable` if bun.lock lacks one.
 */
export function bundledPackages(directory: string): BundledPackage[] {
  const lock = Bun.JSONC.parse(readFileSync(join(directory, "bun.lock"), "utf8")) as LockFile;
  const found = new Map<string, BundledPackage>();
  const pending = Object.keys(lock.workspaces[""].dependencies);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    const [id, , { dependencies = {}, peerDependencies = {}, optionalPeers = [] }, integrity] =
      lock.packages[name] ?? missing(name);
    const needs = Object.keys({ ...dependencies, ...peerDependencies })
      .filter((need) => !optionalPeers.includes(need))
      .sort();
    const { license } = JSON.parse(
      readFileSync(join(directory, "node_modules", name, "package.json"), "utf8"),
    ) as { license: string };
    found.set(name, { name, version: id.slice(id.lastIndexOf("@") + 1), integrity, license, needs });
    pending.push(...needs);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

// --- internal ---

interface LockFile {
  readonly workspaces: { readonly "": { readonly dependencies: Readonly<Record<string, string>> } };
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Name and version, the registry, what it needs, and the hash of the archive. */
type LockedPackage = readonly [string, string, Needs, string];

interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalPeers?: readonly string[];
}

function missing(name: string): never {
  throw new CodexlbError("file_unusable", `reading bun.lock: it has no entry for ${name}`, {
    next: "run bun install, and look whether the format of the file has changed",
  });
}
