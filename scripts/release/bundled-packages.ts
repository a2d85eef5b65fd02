// Lists the npm packages that are bundled into the executable, with the versions that bun.lock pins.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CodexlbError } from "../../src/errors.ts";

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** The hash of the package's archive in npm's format: `sha512-` and base64. */
  readonly integrity: string;
  /** An SPDX expression, from the package's own package.json. */
  readonly license: string;
  /** The names of the packages that it depends on. */
  readonly needs: readonly string[];
}

/**
 * Every direct and indirect dependency of the program, sorted by name, without development tools. `directory` is the
 * project's, with its packages installed. Throws `file_unusable` if bun.lock lacks a package.
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

/** The name and version, the registry, the dependencies, and the hash of the archive. */
type LockedPackage = readonly [string, string, Needs, string];

interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalPeers?: readonly string[];
}

function missing(name: string): never {
  throw new CodexlbError("file_unusable", `reading bun.lock: it has no entry for ${name}`, {
    next: "run bun install, and check whether the format of the file has changed",
  });
}
