// Tests the signatures of macOS executables, without a Mac.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fetchRuntime } from "../../scripts/bun-runtime.mjs";
import { checkSignature, requireAdHocWithJit, signAdHoc } from "../../scripts/release/code-signature.ts";
import { runtimeNameOf } from "../../scripts/targets.ts";
import { unpack } from "../support/release.ts";
import { tempDirectory } from "../support/temp.ts";

// The first test builds the release, and emulated processors are slow.
setDefaultTimeout(600_000);

const TARGETS = ["darwin-x64", "darwin-arm64"] as const;

/** The size that a signature may add to the code. */
const SIGNATURE_BYTES = 1_000;

describe.each(TARGETS)("for %s", (target) => {
  const runtime = () => readFileSync(fetchRuntime(runtimeNameOf(target)));
  const cpu = target === "darwin-x64" ? "x64" : "arm64";

  test("the check accepts the original signature of Bun's runtime", () => {
    const signature = checkSignature(runtime());
    expect(signature).toMatchObject({ cpu, identifier: "bun", isAdHoc: false, isHardened: true });
    expect(signature.entitlements).toContain("com.apple.security.cs.allow-jit");
    expect(() => requireAdHocWithJit(signature)).toThrow("it was made with a certificate");
  });

  test("the released executable is signed ad hoc, and allowed to use a JIT", async () => {
    using temp = tempDirectory();
    const signature = checkSignature(readFileSync(join(await unpack(target, temp.path), "codexlb")));
    requireAdHocWithJit(signature);
    expect(signature).toMatchObject({ cpu, identifier: "codexlb", isAdHoc: true, isHardened: false });
    expect(signature.pages).toBeGreaterThan(20_000);
  });

  test("the check refuses a changed page, a truncated file and another format", () => {
    const signed = signAdHoc(runtime(), "codexlb");
    for (const at of [4_096 * 7 + 1, 4_096 * 1_000]) {
      const changed = Buffer.from(signed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => checkSignature(changed)).toThrow(`page ${Math.floor(at / 4_096)} of`);
    }
    expect(() => checkSignature(signed.subarray(0, -SIGNATURE_BYTES))).toThrow("not at the end");
    expect(() => checkSignature(readFileSync(process.execPath))).toThrow("not a 64-bit Mach-O file");
  });

  test("signing a second time changes nothing", () => {
    const signed = signAdHoc(runtime(), "codexlb");
    expect(signAdHoc(signed, "codexlb").equals(signed)).toBe(true);
  });
});

test("the check refuses the hardened runtime without the entitlement for a JIT", () => {
  const signature = {
    cpu: "arm64",
    identifier: "codexlb",
    isAdHoc: true,
    entitlements: [],
    pages: 1,
  } as const;
  expect(() => requireAdHocWithJit({ ...signature, isHardened: true })).toThrow("without the entitlement");
});
