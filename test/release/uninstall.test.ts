// Tests install.sh --uninstall in every common POSIX shell.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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

    test("keeps the man page and completions while another copy uses them", async () => {
      using box = machine(argv);
      const share = (file: string) => existsSync(join(box.home, ".local", "share", file));
      const directories = [join(box.home, ".local", "bin"), join(box.path, "one"), join(box.path, "two")];
      for (const first of directories) {
        const others = directories.filter((directory) => directory !== first);
        for (const directory of [...others, first])
          await box.install(["--from", tree.directory, "--bin-dir", directory]);
        for (const [directory, isLast] of [
          [first, false],
          [others[0] ?? "", false],
          [others[1] ?? "", true],
        ] as const) {
          const ran = await box.install(["--uninstall", "--bin-dir", directory]);
          expect([ran.code, ran.err, existsSync(join(directory, "codexlb"))]).toEqual([0, "", false]);
          expect(ran.out.includes("kept the man page and completions")).toBe(!isLast);
          expect(ACCESSORIES.map(share)).toEqual(ACCESSORIES.map(() => !isLast));
        }
        expect(share("codexlb")).toBe(false);
      }
    });

    test("removes the man page and completions after the other copy was deleted by hand", async () => {
      using box = machine(argv);
      await box.install(["--from", tree.directory]);
      await box.install(["--from", tree.directory, "--bin-dir", "other"]);
      rmSync(installed(box.home));
      expect((await box.install(["--uninstall", "--bin-dir", "other"])).code).toBe(0);
      for (const file of ACCESSORIES) expect(existsSync(join(box.home, ".local", "share", file))).toBe(false);
    });

    test("reports the files that it cannot remove, and removes them when it is run again", async () => {
      for (const blocked of ACCESSORIES) {
        using box = machine(argv);
        await box.install(["--from", tree.directory]);
        const path = join(box.home, ".local", "share", blocked);
        // Even root cannot remove a directory with rm -f.
        rmSync(path);
        mkdirSync(path);
        const ran = await box.install(["--uninstall"]);
        expect(ran.code).toBe(1);
        expect(ran.out).toContain(`removed ${installed(box.home)}\n`);
        expect(ran.err).toContain(path);
        expect(ran.err).toEndWith(
          "install.sh: removing some files failed (see above)\n" +
            "  run this again as a user who can write to their directories\n",
        );
        rmdirSync(path);
        writeFileSync(path, "");
        const again = await box.install(["--uninstall"]);
        expect([again.code, again.err]).toEqual([0, ""]);
        expect(again.out).toContain(`removed ${path}\n`);
        expect(existsSync(path)).toBe(false);
        expect((await box.install(["--uninstall"])).err).toContain("there is no codexlb in");
      }
    });

    test("changes nothing if it cannot remove the executable", async () => {
      using box = machine(argv);
      await box.install(["--from", tree.directory]);
      rmSync(installed(box.home));
      mkdirSync(installed(box.home));
      const ran = await box.install(["--uninstall"]);
      expect([ran.code, ran.out]).toEqual([1, ""]);
      expect(ran.err).toContain(`install.sh: removing ${installed(box.home)} failed\n`);
      for (const file of ACCESSORIES) expect(existsSync(join(box.home, ".local", "share", file))).toBe(true);
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
