// Tests the systemd unit: its text, whether systemd accepts it, and how systemd rates its security.

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { ServiceOptions } from "../../src/service/service.ts";
import { execStartIn, SYSTEM_ROOT, systemdUnit } from "../../src/service/systemd-unit.ts";
import { isThere } from "../support/shells.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const OPTIONS: ServiceOptions = {
  binary: "/usr/local/bin/codexlb",
  root: "/home/alice/.codex-lb",
  listen: undefined,
  upstream: undefined,
  user: undefined,
};
const SYSTEM: ServiceOptions = { ...OPTIONS, root: SYSTEM_ROOT, user: "codexlb" };

describe("the unit", () => {
  test("passes --listen and --upstream only if they are set", () => {
    expect(execStartIn(systemdUnit(OPTIONS))).toEqual([OPTIONS.binary, "proxy", "--root", OPTIONS.root]);
    const upstream = "https://backend.example/a?b=c%20d";
    expect(execStartIn(systemdUnit({ ...OPTIONS, listen: "127.0.0.1:9000", upstream }))).toEqual([
      ...[OPTIONS.binary, "proxy", "--root", OPTIONS.root],
      ...["--listen", "127.0.0.1:9000", "--upstream", upstream],
    ]);
  });

  test("quotes words, and escapes specifiers, variables and backslashes in them", () => {
    const unit = systemdUnit({ ...OPTIONS, binary: "/a b/$HOME/%n", root: '/r %h $HOME "q" \\n' });
    expect(unit).toContain('ExecStart="/a b/$HOME/%%n" "proxy" "--root" "/r %%h $$HOME \\"q\\" \\\\n"\n');
  });

  test.each([`/a"b`, "/a'b", "/a\\b"])(
    "is refused for the executable %s, which systemd cannot start",
    (binary) => {
      expect(() => systemdUnit({ ...OPTIONS, binary })).toThrow("its path contains a quote or a backslash");
    },
  );

  test("contains the same arguments when it is read, with any characters in them", () => {
    const word = fc.string({ minLength: 1, unit: fc.constantFrom(..."a /%$\\\"'&<>;{}#=-~é") });
    fc.assert(
      fc.property(word, word, (binary, root) => {
        const path = `/${binary.replaceAll(/["'\\]/g, "")}`;
        const unit = systemdUnit({ ...OPTIONS, binary: path, root: `/${root}` });
        expect(execStartIn(unit)).toEqual([path, "proxy", "--root", `/${root}`]);
      }),
    );
  });

  test("of the Go program can be read", () => {
    const unit = "[Service]\nType=simple\nExecStart=/opt/codexlb proxy --root /home/alice/.codex-lb\n";
    expect(execStartIn(unit)).toEqual(["/opt/codexlb", "proxy", "--root", "/home/alice/.codex-lb"]);
    expect(execStartIn("[Service]\n")).toBeUndefined();
  });

  test("of a user needs no mount namespace, which many systems forbid for users", () => {
    expect(systemdUnit(OPTIONS)).not.toMatch(/^(?:Protect|Private|ReadWrite|Capability|User=|State)/m);
    expect(systemdUnit(OPTIONS)).toContain("WantedBy=default.target\n");
  });

  test("of the system names its user, and its state directory or the root it may write to", () => {
    const unit = systemdUnit(SYSTEM);
    expect(unit).toContain("\nUser=codexlb\nStateDirectory=codexlb\nStateDirectoryMode=0700\n");
    expect(unit).toContain("\nProtectHome=yes\nPrivateTmp=yes\n");
    expect(unit).not.toContain("ReadWritePaths");
    expect(unit).toContain("\nWants=network-online.target\nAfter=network-online.target\n");
    const elsewhere = systemdUnit({ ...SYSTEM, root: "/home/alice/my root" });
    expect(elsewhere).toContain('\nReadWritePaths="/home/alice/my root"\nProtectHome=read-only\n');
    expect(elsewhere).not.toContain("StateDirectory");
    expect(systemdUnit({ ...SYSTEM, binary: "/tmp/codexlb" })).not.toContain("PrivateTmp");
  });
});

/** Writes the unit to a file. The unit names an executable that exists. */
function inFile(options: ServiceOptions): TempDirectory & { readonly unit: string } {
  const temp = tempDirectory();
  const directory = join(temp.path, "a b $HOME %c");
  mkdirSync(directory);
  const binary = join(directory, "codexlb");
  writeFileSync(binary, "#!/bin/sh\n");
  chmodSync(binary, 0o755);
  const unit = join(temp.path, "codexlb-proxy.service");
  writeFileSync(unit, systemdUnit({ ...options, binary }));
  return { ...temp, unit };
}

function analyze(...words: string[]) {
  using runtime = tempDirectory();
  const env = { ...process.env, LC_ALL: "C", XDG_RUNTIME_DIR: runtime.path };
  const ran = Bun.spawnSync(["systemd-analyze", ...words], { env });
  return { code: ran.exitCode, out: ran.stdout.toString(), err: ran.stderr.toString() };
}

const KINDS = [
  // The worst score is 10. A user systemd cannot restrict mount namespaces and capabilities.
  ["of a user", OPTIONS, "--user", 6.5],
  ["of the system", { ...SYSTEM, user: "daemon" }, "--system", 2.5],
] as const;

describe.skipIf(!isThere("systemd-analyze", "the unit in systemd-analyze"))("systemd", () => {
  test.each(KINDS)("accepts the unit %s without a warning", (_, options, manager) => {
    using file = inFile(options);
    expect(analyze("verify", manager, "--man=no", file.unit)).toEqual({ code: 0, out: "", err: "" });
  });

  test.each(KINDS)("gives the service %s a good security rating", (kind, options, _, most) => {
    using file = inFile(options);
    const { out } = analyze("security", "--offline=true", "--no-pager", file.unit);
    const [line = "", score = "10"] = /Overall exposure level for \S+ ([\d.]+) \w+/.exec(out) ?? [];
    console.log(`systemd-analyze security ${kind}: ${line}`);
    expect(Number(score)).toBeLessThanOrEqual(most);
  });
});
