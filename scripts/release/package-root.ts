// Writes the root directory that deb and rpm packages install: the executable, its manual page and completions.

import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "bun";

/** The oldest glibc with which the executables run, on every processor. */
export const OLDEST_GLIBC = "2.17";

/** The directories in which distributions look for zsh completions. */
export type ZshDirectory = "vendor-completions" | "site-functions";

/** Copies the executable, the man page and the completions of an unpacked tarball below `root`. */
export function writeRoot(unpacked: string, root: string, zsh: ZshDirectory): void {
  const share = (path: string) => join("usr", "share", path);
  for (const [source, path] of [
    ["codexlb", "usr/bin/codexlb"],
    ["completions/codexlb.bash", share("bash-completion/completions/codexlb")],
    ["completions/_codexlb", share(`zsh/${zsh}/_codexlb`)],
    ["completions/codexlb.fish", share("fish/vendor_completions.d/codexlb.fish")],
  ] as const)
    place(root, path, (target) => copyFileSync(join(unpacked, source), target));
  writeText(
    root,
    share("man/man1/codexlb.1.gz"),
    compressed(readFileSync(join(unpacked, "man", "codexlb.1"))),
  );
}

/** Writes one more file below `root`. */
export function writeText(root: string, path: string, text: string | Uint8Array): void {
  place(root, path, (target) => writeFileSync(target, text));
}

/** Compresses documentation as distributions expect: gzip at the highest level, without a time. */
export function compressed(text: string | Uint8Array): Uint8Array {
  return gzipSync(typeof text === "string" ? new TextEncoder().encode(text) : new Uint8Array(text), {
    level: 9,
  });
}

/** Sets mode 755 on every directory and the executable, and mode 644 on every other file, regardless of the umask. */
export function setModes(root: string): void {
  chmodSync(root, 0o755);
  for (const path of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const executable = path.isDirectory() || path.parentPath.endsWith("/usr/bin");
    chmodSync(join(path.parentPath, path.name), executable ? 0o755 : 0o644);
  }
}

/**
 * The version in the syntax of deb and rpm, in which a tilde marks a prerelease: `1.0.0-rc.1` becomes `1.0.0~rc.1`,
 * which they sort before `1.0.0`.
 */
export function packageVersion(version: string): string {
  return version.replace("-", "~").replaceAll("-", ".");
}

// --- internal ---

function place(root: string, path: string, write: (target: string) => void): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  write(join(root, path));
}
