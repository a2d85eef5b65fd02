// Tests install.sh --uninstall in every common POSIX shell.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launchdPlist } from "../../src/service/launchd-plist.ts";
import { systemdUnit } from "../../src/service/systemd-unit.ts";
import { ACCESSORIES, installed, type Machine, machine, SHELLS } from "../support/install-machine.ts";
import { releaseTree } from "../support/release-tree.ts";

let tree: Awaited<ReturnType<typeof releaseTree>>;
beforeAll(async () => {
  tree = await releaseTree({ targets: ["linux-x64"] });
});
afterAll(() => tree[Symbol.dispose]());

const UNIT = ".config/systemd/user/codexlb-proxy.service";
const PLIST = "Library/LaunchAgents/com.codexlb.proxy.plist";

function writeService(box: Machine, file: string, text: string): string {
  const path = join(box.home, file);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** The service file that `codexlb service install` writes for `binary`. */
function serviceFile(file: string, binary: string): string {
  const options = { binary, root: "/root dir", listen: undefined, upstream: undefined, user: undefined };
  return file === UNIT ? systemdUnit(options) : launchdPlist(options);
}

describe.each(SHELLS.map((argv) => ({ name: argv.join(" "), argv })))(
  "install.sh --uninstall in $name",
  ({ argv }) => {
    test("removes what was installed and keeps accounts and settings", async () => {
      using box = machine(argv);
      await box.install(["--from", tree.directory]);
      mkdirSync(join(box.home, ".codex-lb"));
      const ran = await box.install(["--uninstall"]);
      expect([ran.code, ran.err]).toEqual([0, ""]);
      for (const file of ACCESSORIES) expect(existsSync(join(box.home, ".local", "share", file))).toBe(false);
      expect(existsSync(installed(box.home))).toBe(false);
      expect(existsSync(join(box.home, ".codex-lb"))).toBe(true);
      const again = await box.install(["--uninstall"]);
      expect([again.code, again.err.includes("there is no codexlb in")]).toEqual([1, true]);
    });

    test("removes nothing while a service runs the executable, and prints the command that removes it", async () => {
      using box = machine(argv);
      // Characters that systemd and property lists escape.
      const directory = join(box.path, "100% a&b");
      await box.install(["--from", tree.directory, "--bin-dir", directory]);
      const binary = join(directory, "codexlb");
      const link = join(box.home, "link");
      symlinkSync(binary, link);
      for (const [file, program] of [
        [UNIT, binary],
        [UNIT, link],
        [PLIST, binary],
      ] as const) {
        const service = writeService(box, file, serviceFile(file, program));
        const ran = await box.install(["--uninstall", "--bin-dir", directory]);
        expect([ran.code, ran.out, ran.err]).toEqual([
          1,
          "",
          `install.sh: the service in ${service} runs ${binary}, so nothing was removed\n` +
            `  remove the service first: '${binary}' service uninstall; if that fails, stop it and delete its file\n`,
        ]);
        expect(existsSync(binary)).toBe(true);
        rmSync(service);
      }
      expect((await box.install(["--uninstall", "--bin-dir", directory])).code).toBe(0);
    });

    test("finds the service of the unit in docs/service.md", async () => {
      using box = machine(argv);
      await box.install(["--from", tree.directory]);
      writeService(box, UNIT, "[Service]\nExecStart=%h/.local/bin/codexlb proxy\n");
      expect((await box.install(["--uninstall"])).code).toBe(1);
      expect(existsSync(installed(box.home))).toBe(true);
    });

    test("ignores a service that runs another executable", async () => {
      using box = machine(argv);
      await box.install(["--from", tree.directory]);
      for (const file of [UNIT, PLIST]) writeService(box, file, serviceFile(file, "/elsewhere/codexlb"));
      const ran = await box.install(["--uninstall"]);
      expect([ran.code, ran.err]).toEqual([0, ""]);
    });
  },
);
