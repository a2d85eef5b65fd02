// Tests the deb and rpm packages: builds and lists them, installs them below a scratch root with dpkg and rpm, and runs
// the executable there.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { OLDEST_GLIBC, packageVersion } from "../../scripts/release/package-root.ts";
import { writeDebs, writeRpms } from "../../scripts/release/packages.ts";
import {
  EXECUTABLE_VERSION,
  executableRelease,
  hasExecutable,
  releaseTree,
} from "../support/release-tree.ts";
import { isThere } from "../support/shells.ts";
import { tempDirectory } from "../support/temp.ts";

const TARGETS = ["linux-x64-baseline", "linux-arm64"] as const;

function run(command: readonly string[]): string {
  const ran = Bun.spawnSync([...command], { env: { PATH: process.env.PATH ?? "", LC_ALL: "C" } });
  if (!ran.success) throw new Error(`${command.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout.toString();
}

describe.skipIf(!isThere("dpkg-deb", "the deb packages"))("the deb packages", () => {
  test("contain the executable, its man page and completions, but no maintainer scripts", async () => {
    using tree = await releaseTree({ targets: TARGETS });
    const names = await writeDebs(tree, "gzip");
    expect(names).toEqual(["codexlb_1.2.3_amd64.deb", "codexlb_1.2.3_arm64.deb"]);
    for (const [index, target] of TARGETS.entries()) {
      const path = join(tree.directory, names[index] ?? "");
      const files = run(["dpkg-deb", "--contents", path])
        .split("\n")
        .flatMap((line) => {
          const [mode = "", owner, , , , file = ""] = line.split(/\s+/);
          return mode.startsWith("-") ? [`${mode} ${owner} ${file}`] : [];
        });
      expect(files.sort()).toEqual([
        "-rw-r--r-- root/root ./usr/share/bash-completion/completions/codexlb",
        "-rw-r--r-- root/root ./usr/share/doc/codexlb/README.md.gz",
        "-rw-r--r-- root/root ./usr/share/doc/codexlb/changelog.gz",
        "-rw-r--r-- root/root ./usr/share/doc/codexlb/copyright",
        "-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/codexlb.fish",
        "-rw-r--r-- root/root ./usr/share/lintian/overrides/codexlb",
        "-rw-r--r-- root/root ./usr/share/man/man1/codexlb.1.gz",
        "-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_codexlb",
        "-rwxr-xr-x root/root ./usr/bin/codexlb",
      ]);
      using scratch = tempDirectory();
      run(["dpkg-deb", "--raw-extract", path, scratch.path]);
      expect(run(["ls", join(scratch.path, "DEBIAN")])).toBe("control\nmd5sums\n");
      // The stand-in prints the target that it was packed for.
      expect(run([join(scratch.path, "usr/bin/codexlb"), "--version"])).toBe(`codexlb 1.2.3 (${target})\n`);
    }
  });

  test.skipIf(!isThere("lintian", "the deb packages in lintian"))("pass lintian", async () => {
    using tree = await releaseTree({ targets: TARGETS });
    const paths = (await writeDebs(tree, "gzip")).map((name) => join(tree.directory, name));
    expect(run(["lintian", "--allow-root", "--fail-on=error,warning", ...paths])).toBe("");
  });

  test("of a release candidate sort before those of the release", async () => {
    using tree = await releaseTree({ targets: TARGETS, version: "2.0.0-rc.1" });
    const [name = ""] = await writeDebs(tree, "gzip");
    expect(name).toBe("codexlb_2.0.0-rc.1_amd64.deb");
    const version = run(["dpkg-deb", "--field", join(tree.directory, name), "Version"]).trim();
    expect(version).toBe("2.0.0~rc.1");
    run(["dpkg", "--compare-versions", version, "lt", "2.0.0"]);
    run(["dpkg", "--compare-versions", version, "gt", "1.9.9"]);
  });

  test("have the same bytes when they are built again", async () => {
    using one = await releaseTree({ targets: TARGETS });
    using two = await releaseTree({ targets: TARGETS });
    for (const name of [...(await writeDebs(one, "gzip")), ...(await writeDebs(two, "gzip"))])
      expect(Bun.hash(readFileSync(join(one.directory, name)))).toBe(
        Bun.hash(readFileSync(join(two.directory, name))),
      );
  });

  test.skipIf(!hasExecutable("the executable in its deb package"))(
    "install the real executable, which dpkg verifies",
    async () => {
      const tree = await executableRelease("linux-x64-baseline");
      const [name = ""] = await writeDebs(tree, "gzip");
      const path = join(tree.directory, name);
      using scratch = tempDirectory();
      const dpkg = ["dpkg", `--root=${scratch.path}`, "--force-not-root", "--force-depends"];
      // dpkg needs the tools of maintainer scripts, whose directories may not be on a user's PATH.
      run([...dpkg, "--force-bad-path", "--install", path]);
      const program = join(scratch.path, "usr/bin/codexlb");
      expect(run([program, "--version"])).toStartWith(`codexlb ${EXECUTABLE_VERSION} `);
      expect(run([...dpkg, "--verify", "codexlb"])).toBe("");
      run([...dpkg, "--purge", "codexlb"]);
      expect(existsSync(program)).toBe(false);
    },
  );
});

describe.skipIf(!isThere("rpmbuild", "the rpm packages"))("the rpm packages", () => {
  test("contain the executable, its man page and completions, but no scripts", async () => {
    using tree = await releaseTree({ targets: TARGETS });
    const names = await writeRpms(tree, "gzip");
    expect(names).toEqual(["codexlb-1.2.3-1.x86_64.rpm", "codexlb-1.2.3-1.aarch64.rpm"]);
    for (const name of names) {
      const path = join(tree.directory, name);
      expect(
        run(["rpm", "-qp", "--queryformat", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\\n]", path]),
      ).toBe(
        [
          "-rwxr-xr-x root /usr/bin/codexlb",
          "-rw-r--r-- root /usr/share/bash-completion/completions/codexlb",
          "drwxr-xr-x root /usr/share/doc/codexlb",
          "-rw-r--r-- root /usr/share/doc/codexlb/README.md",
          "-rw-r--r-- root /usr/share/fish/vendor_completions.d/codexlb.fish",
          "drwxr-xr-x root /usr/share/licenses/codexlb",
          "-rw-r--r-- root /usr/share/licenses/codexlb/LICENSE",
          "-rw-r--r-- root /usr/share/man/man1/codexlb.1.gz",
          "-rw-r--r-- root /usr/share/zsh/site-functions/_codexlb",
          "",
        ].join("\n"),
      );
      expect(run(["rpm", "-qp", "--scripts", path])).toBe("");
      expect(run(["rpm", "-qp", "--requires", path]).split("\n")).toContain(`glibc >= ${OLDEST_GLIBC}`);
    }
  });

  test("have the same bytes when they are built again", async () => {
    using one = await releaseTree({ targets: TARGETS });
    using two = await releaseTree({ targets: TARGETS });
    for (const name of [...(await writeRpms(one, "gzip")), ...(await writeRpms(two, "gzip"))])
      expect(Bun.hash(readFileSync(join(one.directory, name)))).toBe(
        Bun.hash(readFileSync(join(two.directory, name))),
      );
  });

  test.skipIf(!hasExecutable("the executable in its rpm package"))(
    "install the real executable, which rpm verifies",
    async () => {
      const tree = await executableRelease("linux-x64-baseline");
      const [name = ""] = await writeRpms(tree, "gzip");
      using scratch = tempDirectory();
      const rpm = ["rpm", "--root", scratch.path];
      run([...rpm, "--nodeps", "--install", join(tree.directory, name)]);
      const program = join(scratch.path, "usr/bin/codexlb");
      expect(run([program, "--version"])).toStartWith(`codexlb ${EXECUTABLE_VERSION} `);
      expect(run([...rpm, "--verify", "--nodeps", "codexlb"])).toBe("");
      run([...rpm, "--erase", "codexlb"]);
      expect(existsSync(program)).toBe(false);
    },
  );
});

test("package versions sort like release versions", () => {
  expect(["1.2.3", "1.2.3-rc.1", "1.2.3-beta-2"].map(packageVersion)).toEqual([
    "1.2.3",
    "1.2.3~rc.1",
    "1.2.3~beta.2",
  ]);
});

test.skipIf(!hasExecutable("the GNU C library that the executable needs"))(
  "the packages require the GNU C library that the executable needs",
  () => {
    const text = readFileSync(process.env.CODEXLB_TEST_BINARY ?? "", "latin1");
    const needed = [...text.matchAll(/\0GLIBC_2\.(\d+)(?:\.\d+)?(?=\0)/g)].map(([, minor]) => Number(minor));
    expect(needed.length).toBeGreaterThan(0);
    expect(`2.${Math.max(...needed)}`).toBe(OLDEST_GLIBC);
    expect(statSync(process.env.CODEXLB_TEST_BINARY ?? "").size).toBe(text.length);
  },
);
