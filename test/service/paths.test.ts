// Tests which path of the executable a service uses, and whether the service's user can use its files.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { lastingPath, pathWarning } from "../../src/cli/service/lasting-path.ts";
import { programRunner } from "../../src/service/run-program.ts";
import { SYSTEM_ROOT } from "../../src/service/systemd-unit.ts";
import { requireUserAccess } from "../../src/service/user-access.ts";
import { runCli } from "../support/cli.ts";
import { outcome } from "../support/outcome.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
let directory: string;
beforeEach(() => {
  temp = tempDirectory();
  directory = realpathSync(temp.path);
});
afterEach(() => temp[Symbol.dispose]());

function program(below: string): string {
  const path = join(directory, below);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "#!/bin/sh\n", { mode: 0o755 });
  return path;
}

function link(below: string, target: string): string {
  const path = join(directory, below);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
  return path;
}

describe("a service uses", () => {
  const env = (...below: string[]) => ({ PATH: below.map((one) => join(directory, one)).join(":") });

  test("the path on PATH", () => {
    const executable = program("real/codexlb");
    const onPath = link("bin/codexlb", executable);
    expect(lastingPath({ executable, startedAs: executable }, env("bin"))).toBe(onPath);
  });

  test("the link that started it, if another copy is on PATH", () => {
    const executable = program("real/codexlb");
    program("bin/codexlb");
    const started = link("elsewhere/codexlb", executable);
    expect(lastingPath({ executable, startedAs: started }, env("bin"))).toBe(started);
    expect(lastingPath({ executable, startedAs: "codexlb" }, env("bin"))).toBe(executable);
  });

  test("Homebrew's link instead of the directory of one version", () => {
    const executable = program("brew/Cellar/codexlb/1.0.0/bin/codexlb");
    const startedAs = executable;
    const cellar = env("brew/Cellar/codexlb/1.0.0/bin");
    expect(lastingPath({ executable, startedAs }, cellar)).toBe(executable);
    const opt = link("brew/opt/codexlb", dirname(dirname(executable)));
    expect(lastingPath({ executable, startedAs }, cellar)).toBe(join(opt, "bin", "codexlb"));
    const linked = link("brew/bin/codexlb", executable);
    expect(lastingPath({ executable, startedAs }, cellar)).toBe(linked);
  });

  test.each([
    ["/home/a/.npm/_npx/5f3c/node_modules/@codexlb/linux-x64/bin/codexlb", "is in a cache"],
    ["/tmp/bunx-0-codexlb@latest/node_modules/@codexlb/linux-x64/bin/codexlb", "is in a cache"],
    ["/home/a/.cache/pnpm/dlx/5f3c/node_modules/@codexlb/linux-x64/bin/codexlb", "is in a cache"],
    ["/opt/homebrew/Cellar/codexlb/1.0.0/bin/codexlb", "an upgrade removes"],
    ["/nix/store/abc-codexlb-1.0.0/bin/codexlb", "an upgrade removes"],
  ])("%s with a warning", (path, warning) => {
    expect(pathWarning(path)).toContain(warning);
  });

  test("a temporary path, but service install warns about it", async () => {
    const binary = program("_npx/5f3c/codexlb");
    const { code, err } = await runCli(
      ["service", "install", "--target", "systemd", "--dry-run", "--binary", binary],
      { cwd: directory },
    );
    expect([code, err]).toEqual([0, expect.stringContaining(`codexlb: warning: ${binary} is in a cache`)]);
  });

  test.each(["/usr/bin/codexlb", "/usr/lib/node_modules/@codexlb/linux-x64/bin/codexlb"])(
    "%s without a warning",
    (path) => {
      expect(pathWarning(path)).toBeUndefined();
    },
  );
});

describe("the user of a system-wide service", () => {
  const options = (binary: string, root = SYSTEM_ROOT) => ({
    binary,
    root,
    listen: undefined,
    upstream: undefined,
    user: "nobody",
  });
  const canCheck = process.getuid?.() === 0 && Bun.which("runuser") !== null;
  if (!canCheck) console.log("skipped: the access of a service's user (needs root and runuser)");

  test.skipIf(!canCheck)("must be able to run the executable and to write to the root", async () => {
    const run = programRunner(process.env);
    chmodSync(directory, 0o755);
    const binary = program("bin/codexlb");
    const root = join(directory, "root");
    mkdirSync(root, { mode: 0o755 });
    await requireUserAccess(options(binary), run);
    expect(await outcome(requireUserAccess(options(binary, root), run))).toThrow(
      `the user nobody of the service cannot write to ${root}`,
    );
    expect(await outcome(requireUserAccess(options(binary, join(root, "missing")), run))).toThrow(
      "cannot write to",
    );
    chmodSync(root, 0o777);
    await requireUserAccess(options(binary, root), run);
    chmodSync(dirname(binary), 0o700);
    expect(await outcome(requireUserAccess(options(binary), run))).toThrow(
      `the user nobody of the service cannot run ${binary}`,
    );
  });

  test("is not checked without runuser", async () => {
    await requireUserAccess(options(join(directory, "missing")), programRunner({ PATH: directory }));
  });
});
