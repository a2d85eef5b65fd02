// Tests the command that adds the files of package managers to a release.

import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Ran } from "../support/executable.ts";
import { releaseTree } from "../support/release-tree.ts";
import { tempDirectory } from "../support/temp.ts";

const SCRIPT = join(import.meta.dir, "..", "..", "scripts", "release", "package.ts");

async function run(args: readonly string[], more: Record<string, string> = {}): Promise<Ran> {
  const child = Bun.spawn([process.execPath, SCRIPT, ...args], {
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", ...more },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

test("the release lists the files of package managers with their checksums", async () => {
  using tree = await releaseTree();
  const ran = await run(["--dir", tree.directory, "--only", "formula,installer,npm"]);
  expect([ran.code, ran.err]).toEqual([0, ""]);
  for (const path of [
    "codexlb.rb",
    "install.sh",
    "npm/codexlb-1.2.3.tgz",
    "npm/codexlb-linux-x64-1.2.3.tgz",
  ]) {
    const sums = readFileSync(join(tree.directory, dirname(path), "SHA256SUMS"), "utf8");
    expect([path, ran.out.includes(`wrote ${path}\n`), sums.includes(`  ${basename(path)}\n`)]).toEqual([
      path,
      true,
      true,
    ]);
  }
  for (const cwd of [tree.directory, join(tree.directory, "npm")]) {
    const check = Bun.spawnSync(["sha256sum", "--check", "--quiet", "SHA256SUMS"], { cwd });
    expect([check.exitCode, check.stdout.toString()]).toEqual([0, ""]);
  }
});

test("the release names the repository of a fork in every file", async () => {
  using tree = await releaseTree();
  const fork = { RELEASE_REPOSITORY: "someone/fork" };
  expect((await run(["--dir", tree.directory, "--only", "formula,installer"], fork)).code).toBe(0);
  for (const name of ["codexlb.rb", "install.sh"]) {
    const text = readFileSync(join(tree.directory, name), "utf8");
    expect([name, text.includes("someone/fork"), text.includes("gngeorgiev")]).toEqual([name, true, false]);
  }
});

test("--tap writes the formula of the release into the tap", async () => {
  using tree = await releaseTree();
  using tap = tempDirectory();
  expect((await run(["--dir", tree.directory, "--tap", tap.path])).code).toBe(0);
  expect(existsSync(join(tap.path, "Formula", "codexlb.rb"))).toBe(true);
});

test("the command refuses an unknown kind and an incomplete release, and prints what to do", async () => {
  using tree = await releaseTree();
  const dir = ["--dir", tree.directory];
  expect((await run([...dir, "--only", "msi"])).err).toContain(
    '"msi" is not a kind of package\n  choose from ',
  );
  writeFileSync(join(tree.directory, "codexlb-1.2.3-linux-x64.tar.gz"), "something else");
  const differs = await run([...dir, "--only", "npm"]);
  expect([differs.code, differs.err.includes("its SHA-256 is")]).toEqual([1, true]);
  rmSync(join(tree.directory, "SHA256SUMS"));
  const missing = await run(dir);
  expect([missing.code, missing.err.includes("run make release VERSION=x.y.z first")]).toEqual([1, true]);
});
