// Finds the package manager that owns an executable. codexlb must not replace such an executable itself.

import type { RunProgram } from "../service/run-program.ts";

export interface PackageOwner {
  /** For messages, such as `Homebrew`. */
  readonly name: string;
  /** The command that upgrades the package. */
  readonly command: string;
}

/** The package manager that owns the file at `path`; undefined if none does. `path` must not contain symbolic links. */
export async function packageOwner(
  path: string,
  version: string,
  run: RunProgram,
): Promise<PackageOwner | undefined> {
  const isArm = process.arch === "arm64";
  const byPath = BY_PATH.find(({ part }) => path.includes(part));
  if (byPath !== undefined) return byPath;
  if ((await run(["dpkg-query", "--search", path])).code === 0)
    return {
      name: "dpkg",
      command: `sudo apt install ./codexlb_${version}_${isArm ? "arm64" : "amd64"}.deb`,
    };
  // HOME is overridden because rpm would create a database in the user's home if the system has none.
  if ((await run(["env", "HOME=/dev/null", "rpm", "--query", "--file", path])).code === 0)
    return {
      name: "rpm",
      command: `sudo dnf install ./codexlb-${version}-1.${isArm ? "aarch64" : "x86_64"}.rpm`,
    };
  return undefined;
}

// --- internal ---

/** The first entry whose `part` is in the path applies. */
const BY_PATH: readonly (PackageOwner & { readonly part: string })[] = [
  { part: "/Cellar/", name: "Homebrew", command: "brew upgrade codexlb" },
  { part: "/nix/store/", name: "Nix", command: "nix profile upgrade codexlb" },
  { part: "/.bun/", name: "bun", command: "bun add --global codexlb@latest" },
  { part: "/pnpm/", name: "pnpm", command: "pnpm add --global codexlb@latest" },
  { part: "/node_modules/", name: "npm", command: "npm install --global codexlb@latest" },
];
