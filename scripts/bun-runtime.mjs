// Fetches the pinned Bun from the npm registry without running any install script, and checks it against the hash in
// bun-runtimes.json. Runs on plain Node.js, because Bun is not installed yet. scripts/compile.ts uses this file to
// fetch the runtimes of other platforms.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
export const TOOLS = join(HERE, "..", ".tools");
export const { version: BUN_VERSION, integrity: INTEGRITY } = JSON.parse(
  readFileSync(join(HERE, "bun-runtimes.json"), "utf8"),
);

/** The package's name for this machine, e.g. `linux-x64`. */
export function hostTarget() {
  const cpu = { x64: "x64", arm64: "aarch64" }[arch()];
  if (platform() !== "linux") return `${platform() === "win32" ? "windows" : platform()}-${cpu}`;
  const musl = process.report.getReport().header.glibcVersionRuntime === undefined ? "-musl" : "";
  const oldCpu = cpu === "x64" && !readFileSync("/proc/cpuinfo", "utf8").includes("avx2");
  return `linux-${cpu}${oldCpu && musl === "" ? "-baseline" : musl}`;
}

/** The path of the Bun executable for `target`. Fetches and verifies the executable if it is missing. */
export function fetchRuntime(target) {
  const expected = INTEGRITY[target];
  if (expected === undefined)
    throw new Error(`Bun ${BUN_VERSION} is not pinned for ${target}; see scripts/bun-runtimes.json`);
  const home = join(TOOLS, `bun-${BUN_VERSION}-${target}`);
  const binary = join(home, "bin", target.startsWith("windows") ? "bun.exe" : "bun");
  if (existsSync(binary)) return binary;
  mkdirSync(TOOLS, { recursive: true });
  const work = mkdtempSync(join(TOOLS, "fetch-"));
  try {
    const name = `@oven/bun-${target}@${BUN_VERSION}`;
    process.stderr.write(`fetching ${name}\n`);
    const cache = join(TOOLS, "npm-cache");
    const packed = execFileSync(
      "npm",
      ["pack", name, "--silent", "--cache", cache, "--pack-destination", work],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const archive = join(work, packed.trim().split("\n").at(-1));
    const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (found !== expected) throw new Error(`${name} has the hash ${found}, not the pinned ${expected}`);
    execFileSync("tar", ["-xzf", archive, "-C", work]);
    rmSync(home, { recursive: true, force: true });
    renameSync(join(work, "package"), home);
    return binary;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
