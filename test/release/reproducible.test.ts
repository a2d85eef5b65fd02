// Tests that builds are reproducible: the same commit gives the same bytes in any directory.

import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ReleaseTarget } from "../../scripts/targets.ts";
import { archiveOf, checkOut, RELEASE_VERSION, unpack, wholeRelease } from "../support/release.ts";
import { tempDirectory } from "../support/temp.ts";

// The first test builds the release, and emulated processors are slow.
setDefaultTimeout(600_000);

/** One target per executable format. The other targets differ only in the runtime. */
const TARGETS = ["linux-x64", "darwin-arm64"] as const satisfies readonly ReleaseTarget[];

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("builds in two directories write the same archives", async () => {
  const whole = await wholeRelease();
  using temp = tempDirectory();
  const other = await checkOut(join(temp.path, "some/where/else"));
  expect(other.commit).toBe(whole.checkout.commit);
  const out = join(temp.path, "out");
  const words = ["--version", RELEASE_VERSION, "--targets", TARGETS.join(","), "--out", out];
  // Build machines have different languages, tar and gzip options, and values of NODE_ENV.
  const { code, err } = await other.release(words, {
    TAR_OPTIONS: "--mtime=@7",
    GZIP: "-1",
    LC_ALL: "C.UTF-8",
    NODE_ENV: "development",
  });
  expect([code, err]).toEqual([0, ""]);
  for (const target of TARGETS)
    expect([target, sha256(archiveOf(out, target))]).toEqual([
      target,
      sha256(archiveOf(whole.directory, target)),
    ]);
});

test("an executable does not contain the path of its build directory", async () => {
  const { checkout } = await wholeRelease();
  using temp = tempDirectory();
  for (const target of TARGETS) {
    const executable = readFileSync(join(await unpack(target, temp.path), "codexlb"));
    expect([target, executable.includes(checkout.path)]).toEqual([target, false]);
  }
});
