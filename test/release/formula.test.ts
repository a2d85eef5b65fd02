// Tests the Homebrew formula, which Ruby evaluates for every platform of Homebrew.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeFormula, writeTap } from "../../scripts/release/formula.ts";
import { HOME_PAGE, releaseUrl, SUMMARY } from "../../scripts/release/home.ts";
import { tarballChecksum } from "../../scripts/release/release-directory.ts";
import type { ReleaseTarget } from "../../scripts/targets.ts";
import { outcome } from "../support/outcome.ts";
import { executableRelease, hasExecutable, releaseTree } from "../support/release-tree.ts";
import { isThere } from "../support/shells.ts";
import { tempDirectory } from "../support/temp.ts";

const HOMEBREW = join(import.meta.dir, "..", "support", "homebrew.rb");

const PLATFORMS: readonly { os: string; arch: string; avx2: boolean; target: ReleaseTarget }[] = [
  { os: "macos", arch: "arm", avx2: false, target: "darwin-arm64" },
  { os: "macos", arch: "intel", avx2: true, target: "darwin-x64" },
  { os: "linux", arch: "arm", avx2: false, target: "linux-arm64" },
  { os: "linux", arch: "intel", avx2: true, target: "linux-x64" },
  { os: "linux", arch: "intel", avx2: false, target: "linux-x64-baseline" },
];

describe.skipIf(!isThere("ruby", "the Homebrew formula"))("the Homebrew formula", () => {
  test.each(PLATFORMS)(
    "installs $target on $os with $arch, AVX2 $avx2",
    async ({ os, arch, avx2, target }) => {
      using tree = await releaseTree();
      expect(writeFormula(tree)).toBe("codexlb.rb");
      using prefix = tempDirectory();
      const seen = await evaluate(tree.directory, os, arch, avx2, prefix.path);
      expect(seen).toEqual({
        fields: {
          desc: SUMMARY,
          homepage: HOME_PAGE,
          version: "1.2.3",
          license: "MIT",
          url: releaseUrl("1.2.3", `codexlb-1.2.3-${target}.tar.gz`),
          sha256: tarballChecksum(tree, target),
        },
        installed: [
          "bin/codexlb",
          "etc/bash_completion.d/codexlb",
          "share/fish/vendor_completions.d/codexlb.fish",
          "share/man/man1/codexlb.1",
          "share/zsh/site-functions/_codexlb",
        ],
        executable: true,
        assertions: 2,
        service: {
          run: [join(prefix.path, "opt/codexlb/bin/codexlb"), "proxy"],
          keep_alive: { successful_exit: false },
          environment: { PATH: `${prefix.path}/bin:/usr/bin:/bin` },
          log: join(prefix.path, "var/log/codexlb.log"),
          error_log: join(prefix.path, "var/log/codexlb.log"),
        },
        livecheck: { url: "homepage", strategy: "github_latest" },
      });
      const program = join(prefix.path, "Cellar/codexlb/1.2.3/bin/codexlb");
      expect(Bun.spawnSync([program, "--version"]).stdout.toString()).toBe(`codexlb 1.2.3 (${target})\n`);
    },
  );

  test.skipIf(!hasExecutable("the formula's test block with the executable"))(
    "passes its own test with the real executable",
    async () => {
      const release = await executableRelease();
      writeFormula(release);
      using prefix = tempDirectory();
      const seen = await evaluate(release.directory, "linux", "intel", true, prefix.path);
      expect([seen.assertions, seen.executable]).toEqual([2, true]);
    },
  );

  test("is refused if a tarball differs from its checksum", async () => {
    using tree = await releaseTree();
    writeFormula(tree);
    writeFileSync(join(tree.directory, "codexlb-1.2.3-linux-arm64.tar.gz"), "something else");
    using prefix = tempDirectory();
    const evaluated = evaluate(tree.directory, "linux", "arm", false, prefix.path);
    expect(await outcome(evaluated)).toThrow("has the SHA-256");
  });

  test("is valid Ruby", async () => {
    using tree = await releaseTree({ targets: FORMULA_ONLY });
    writeFormula(tree);
    const ran = Bun.spawnSync(["ruby", "-wc", join(tree.directory, "codexlb.rb")]);
    expect(ran.stdout.toString() + ran.stderr.toString()).toBe("Syntax OK\n");
  });
});

test("the formula needs a tarball for every platform of Homebrew", async () => {
  using tree = await releaseTree({ targets: ["linux-x64"] });
  expect(() => writeFormula(tree)).toThrow("does not list codexlb-1.2.3-darwin-arm64.tar.gz");
});

test("Homebrew accepts the formula's description", () => {
  expect(SUMMARY.length).toBeLessThanOrEqual(80);
  expect(SUMMARY).not.toMatch(/^(?:an?|the|codexlb)\b|\.$/i);
});

test("the tap contains the formula where Homebrew looks for it", async () => {
  using tree = await releaseTree({ targets: FORMULA_ONLY });
  using tap = tempDirectory();
  writeTap(tree, tap.path);
  expect(readdirSync(tap.path)).toEqual(["Formula"]);
  expect(readFileSync(join(tap.path, "Formula", "codexlb.rb"), "utf8")).toStartWith(
    "class Codexlb < Formula\n",
  );
});

const FORMULA_ONLY = PLATFORMS.map(({ target }) => target);

async function evaluate(release: string, os: string, arch: string, avx2: boolean, prefix: string) {
  const child = Bun.spawn(
    ["ruby", HOMEBREW, join(release, "codexlb.rb"), os, arch, String(avx2), release, prefix],
    { stdout: "pipe", stderr: "pipe" },
  );
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}
