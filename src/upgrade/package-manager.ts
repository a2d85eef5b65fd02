// Finds the package manager that owns an executable. codexlb must not replace such an executable itself.

import { CodexlbError } from "../errors.ts";
import { quote } from "../quote.ts";
import type { RunProgram } from "../service/run-program.ts";

export interface PackageOwner {
  /** For messages, such as `Homebrew`. */
  readonly name: string;
  /** The command that upgrades the package. */
  readonly command: string;
}

/**
 * The package manager that owns the file at `path`; undefined if none does. `path` must not contain symbolic links.
 * `version` is the one to upgrade to; undefined if it is not known.
 */
export async function packageOwner(
  path: string,
  version: string | undefined,
  run: RunProgram,
): Promise<PackageOwner | undefined> {
  const isArm = process.arch === "arm64";
  const byPath = BY_PATH.find(({ part }) => path.includes(part));
  if (byPath !== undefined) return { name: byPath.name, command: byPath.command(path) };
  const named = version ?? "VERSION";
  if ((await run(["dpkg-query", "--search", path])).code === 0)
    return {
      name: "dpkg",
      command: `sudo apt install ./codexlb_${named}_${isArm ? "arm64" : "amd64"}.deb`,
    };
  // HOME is overridden because rpm would create a database in the user's home if the system has none.
  if ((await run(["env", "HOME=/dev/null", "rpm", "--query", "--file", path])).code === 0)
    return {
      name: "rpm",
      command: `sudo dnf install ./codexlb-${named}-1.${isArm ? "aarch64" : "x86_64"}.rpm`,
    };
  return undefined;
}

/** The refusal to replace the executable at `path`, which `owner` installed. */
export function ownedError(path: string, { name, command }: PackageOwner): CodexlbError {
  return new CodexlbError("upgrade_refused", `${path} was installed by ${name}`, {
    next: `upgrade it with: ${command}`,
  });
}

// --- internal ---

interface PathOwner {
  /** The part of the path that identifies the owner. */
  readonly part: string;
  readonly name: string;
  readonly command: (path: string) => string;
}

/** The first entry whose `part` is in the path applies. */
const BY_PATH: readonly PathOwner[] = [
  { part: "/Cellar/", name: "Homebrew", command: () => "brew upgrade codexlb" },
  { part: "/nix/store/", name: "Nix", command: () => "nix profile upgrade codexlb" },
  { part: "/_npx/", name: "npx", command: () => "npx codexlb@latest" },
  { part: "/bunx-", name: "bunx", command: () => "bunx codexlb@latest" },
  { part: "/dlx/", name: "pnpm dlx", command: () => "pnpm dlx codexlb@latest" },
  { part: "/.bun/", name: "bun", command: () => "bun add --global codexlb@latest" },
  { part: "/pnpm/", name: "pnpm", command: () => "pnpm add --global codexlb@latest" },
  { part: "/yarn/global/", name: "yarn", command: () => "yarn global add codexlb@latest" },
  {
    part: "/node_modules/.pnpm/",
    name: "pnpm",
    command: (path) => `pnpm --dir ${projectOf(path)} add codexlb@latest`,
  },
  { part: "/lib/node_modules/", name: "npm", command: () => "npm install --global codexlb@latest" },
  {
    part: "/node_modules/",
    name: "npm",
    command: (path) => `npm install --prefix ${projectOf(path)} codexlb@latest`,
  },
];

/** The directory of the project that has the file in its `node_modules`, quoted for a shell. */
function projectOf(path: string): string {
  return quote(path.slice(0, path.indexOf("/node_modules/")));
}
