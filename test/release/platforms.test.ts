// Runs each released Linux executable: natively, on an emulated processor, or on musl.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { BUN_VERSION, fetchRuntime } from "../../scripts/bun-runtime.mjs";
import type { ReleaseTarget } from "../../scripts/targets.ts";
import { EMULATED, type ForeignMachine, runOn, whyNoMachine } from "../support/foreign-machine.ts";
import { RELEASE_VERSION, unpack, wholeRelease } from "../support/release.ts";
import { tempDirectory } from "../support/temp.ts";

// The first test builds the release, and emulated processors are slow.
setDefaultTimeout(600_000);

/** The output directory of packaging/musl-roots.sh, with the directories `x64` and `arm64`. */
const MUSL_ROOTS = process.env.CODEXLB_TEST_MUSL_ROOTS;
const ARM64_LIBRARIES = "/usr/aarch64-linux-gnu";
const EMULATED_X64 = "/usr/bin/qemu-x86_64-static";
const EMULATED_ARM64 = "/usr/bin/qemu-aarch64-static";
/** A processor of 2008, without AVX. */
const OLD_CPU = { QEMU_CPU: "Nehalem" };

const isNative = process.platform === "linux" && process.arch === "x64";

interface Platform {
  readonly target: ReleaseTarget;
  readonly machine: ForeignMachine;
  readonly why: string | undefined;
}

const PLATFORMS: readonly Platform[] = [
  { target: "linux-x64", machine: {}, why: whyNotX64() },
  { target: "linux-x64-baseline", ...emulated({ emulator: EMULATED_X64, env: OLD_CPU }, whyNotX64()) },
  {
    target: "linux-arm64",
    ...emulated(
      { emulator: EMULATED_ARM64, env: { QEMU_LD_PREFIX: ARM64_LIBRARIES } },
      existsSync(ARM64_LIBRARIES) ? undefined : `${ARM64_LIBRARIES} is missing (Debian: libc6-arm64-cross)`,
    ),
  },
  { target: "linux-x64-musl", ...onMusl("x64", {}) },
  { target: "linux-arm64-musl", ...onMusl("arm64", { emulator: EMULATED_ARM64 }) },
];

for (const { target, why } of PLATFORMS)
  if (why !== undefined) console.log(`skipped: running the executable for ${target}: ${why}`);

describe.each(PLATFORMS)("the executable for $target", ({ target, machine, why }) => {
  test.skipIf(why !== undefined)(
    "prints its version, and shows a failover over both transports",
    async () => {
      using temp = tempDirectory();
      const root = machine.root === undefined ? undefined : join(temp.path, "root");
      if (machine.root !== undefined && root !== undefined)
        cpSync(machine.root, root, { recursive: true, verbatimSymlinks: true });
      const executable = join(
        root ?? temp.path,
        machine.emulator === undefined ? "codexlb" : `codexlb${EMULATED}`,
      );
      renameSync(join(await unpack(target, temp.path), "codexlb"), executable);
      const foreign = root === undefined ? machine : { ...machine, root };
      const command = root === undefined ? executable : executable.slice(root.length);

      const { commit } = (await wholeRelease()).checkout;
      const version = await runOn(foreign, [command, "--version"]);
      expect(version).toEqual({
        code: 0,
        out: `codexlb ${RELEASE_VERSION} (${commit}, ${target}, bun ${BUN_VERSION})\n`,
        err: "",
      });
      const demo = await runOn(foreign, [command, "demo"]);
      expect([demo.code, demo.err]).toEqual([0, ""]);
      expect(demo.out.match(/turn \d: Hello from \w+/g)).toEqual([
        "turn 1: Hello from alice",
        "turn 2: Hello from alice",
        "turn 3: Hello from bob",
        "turn 1: Hello from bob",
        "turn 2: Hello from bob",
        "turn 3: Hello from carol",
      ]);
    },
  );
});

const oldest: ForeignMachine = { emulator: EMULATED_X64, env: { QEMU_CPU: "core2duo" } };
const whyNoOldest = whyNotX64() ?? whyNoMachine(oldest);

test.skipIf(whyNoOldest !== undefined)(
  "linux-x64-baseline crashes on a processor without SSE 4.2",
  async () => {
    using temp = tempDirectory();
    const executable = join(temp.path, `codexlb${EMULATED}`);
    renameSync(join(await unpack("linux-x64-baseline", temp.path), "codexlb"), executable);
    const { code, out } = await runOn(oldest, [executable, "--version"]);
    // The status is 128 plus the number of SIGILL, as in a shell.
    expect([code, out]).toEqual([132, ""]);
  },
);

// If this test fails, linux-x64 needs a newer processor than linux-x64-baseline, and docs/releasing.md is wrong.
test("Bun's packages for x64 with and without AVX2 contain the same file", () => {
  const sha256 = (name: string) =>
    createHash("sha256")
      .update(readFileSync(fetchRuntime(name)))
      .digest("hex");
  expect(sha256("linux-x64")).toBe(sha256("linux-x64-baseline"));
});

// --- internal ---

function whyNotX64(): string | undefined {
  return isNative ? undefined : "this machine is not Linux on x64";
}

function emulated(machine: ForeignMachine, why: string | undefined): Omit<Platform, "target"> {
  return { machine, why: why ?? whyNoMachine(machine) };
}

function onMusl(name: string, machine: ForeignMachine): Omit<Platform, "target"> {
  if (MUSL_ROOTS === undefined) {
    const why = "CODEXLB_TEST_MUSL_ROOTS names no directory (packaging/musl-roots.sh creates one)";
    return { machine, why };
  }
  const whole = { ...machine, root: join(MUSL_ROOTS, name) };
  return {
    machine: whole,
    why: (machine.emulator === undefined ? whyNotX64() : undefined) ?? whyNoMachine(whole),
  };
}
