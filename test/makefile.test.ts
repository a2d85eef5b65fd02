// Tests the Makefile: its help, its compatibility with the Go program's Makefile, and the commands that targets run.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { isThere } from "./support/shells.ts";
import { type TempDirectory, tempDirectory } from "./support/temp.ts";

const ROOT = join(import.meta.dir, "..");
const makefile = readFileSync(join(ROOT, "Makefile"), "utf8");
const switching = readFileSync(join(ROOT, "docs", "switching.md"), "utf8");

/** The words in backquotes in the first column of the table that begins with `header`. */
function firstColumn(header: string): string[] {
  const table = switching.slice(switching.indexOf(`| ${header} `)).split("\n\n")[0] ?? "";
  const cells = table.split("\n").map((line) => line.split("|")[1] ?? "");
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word));
}

/** The targets in the Go program's Makefile and README. */
const GO_TARGETS =
  "help build install test test-real fmt clean run-proxy status install-daemons uninstall-daemons install-systemd install-launchd uninstall-systemd uninstall-launchd";
const GO_VARIABLES = "PREFIX BINDIR DESTDIR ROOT BINARY_WORKDIR LISTEN UPSTREAM";

test("docs/switching.md lists the Go program's targets and variables", () => {
  expect(firstColumn("target").sort()).toEqual(GO_TARGETS.split(" ").sort());
  expect(firstColumn("variable").sort()).toEqual(GO_VARIABLES.split(" ").sort());
});

test("the Makefile has every target and variable of the Go program", () => {
  for (const target of GO_TARGETS.split(" ")) expect(makefile).toMatch(new RegExp(`^${target}:.* ## `, "m"));
  for (const name of GO_VARIABLES.split(" ")) expect(makefile).toMatch(new RegExp(`^${name} \\??:?=`, "m"));
});

test("a target runs each test file", () => {
  const words = [...makefile.matchAll(/^\t.*\btest(?:\.ts)? .*$/gm)].flatMap(([line]) => line.split(/\s+/));
  const paths = words.map((word) => word.replace(/^\.\//, "")).filter((word) => word.startsWith("test/"));
  const files = [...new Glob("test/**/*.test.{ts,tsx}").scanSync(ROOT)];
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((file) => !paths.some((path) => file === path || file.startsWith(`${path}/`)))).toEqual(
    [],
  );
});

describe.skipIf(!isThere("make", "the Makefile's targets"))("make", () => {
  let temp: TempDirectory;
  let binaries: string;
  beforeAll(() => {
    temp = tempDirectory();
    binaries = join(temp.path, "a b");
    mkdirSync(binaries);
    writeFileSync(join(binaries, "codexlb"), `#!/bin/sh\nprintf '<%s>' "$@"\n`, { mode: 0o755 });
  });
  afterAll(() => temp[Symbol.dispose]());

  function make(...words: string[]): string {
    const ran = Bun.spawnSync(["make", "--silent", "--no-print-directory", ...words], {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? "", HOME: temp.path },
    });
    expect([words, ran.exitCode, ran.stderr.toString()]).toEqual([words, 0, ""]);
    return ran.stdout.toString();
  }

  test("help lists every target, aligned", () => {
    const targets = [...makefile.matchAll(/^\.PHONY: (\S+)$/gm)].map(([, target = ""]) => target);
    expect(targets.length).toBeGreaterThan(20);
    const lines = make("help").trimEnd().split("\n");
    expect(lines.map((line) => line.trim().split(/\s+/)[0] ?? "").sort()).toEqual(targets.sort());
    for (const line of lines) expect(line).toMatch(/^ {2}\S.{17} \S/);
  });

  test.each([
    ["run-proxy", "proxy", ""],
    ["status", "status", undefined],
    ["install-daemons", "service><install", ""],
    ["install-systemd", "service><install", "<--target><systemd>"],
    ["install-launchd", "service><install", "<--target><launchd>"],
  ])("%s passes only the variables that are set", (target, command, end) => {
    const binary = command.endsWith("install") ? `<--binary><${binaries}/codexlb>` : "";
    const where = `BINARY_WORKDIR=${binaries}`;
    expect(make(target, where)).toBe(`<${command}>${binary}${end ?? ""}`);
    const given = ["ROOT=/r %h", "LISTEN=127.0.0.1:9000", "UPSTREAM=https://backend.example/a?b"];
    const flags =
      end === undefined ? "" : "<--listen><127.0.0.1:9000><--upstream><https://backend.example/a?b>";
    expect(make(target, where, ...given)).toBe(`<${command}>${binary}<--root></r %h>${flags}${end ?? ""}`);
  });

  test.each([
    ["uninstall-daemons", ""],
    ["uninstall-systemd", "<--target><systemd>"],
    ["uninstall-launchd", "<--target><launchd>"],
  ])("%s uninstalls the service", (target, end) => {
    expect(make(target, `BINARY_WORKDIR=${binaries}`)).toBe(`<service><uninstall>${end}`);
  });

  test("uninstall removes exactly what install installed", () => {
    if (process.env.CODEXLB_TEST_BINARY === undefined)
      return console.log("skipped: make install and uninstall (the executable is not built)");
    const stage = [`DESTDIR=${temp.path}/stage dir`, "PREFIX=/usr"];
    const files = () =>
      readdirSync(join(temp.path, "stage dir"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort();
    make("install", ...stage);
    expect(files()).toEqual(["_codexlb", "codexlb", "codexlb", "codexlb.1", "codexlb.fish"]);
    expect(existsSync(join(temp.path, "stage dir", "usr", "bin", "codexlb"))).toBe(true);
    writeFileSync(join(temp.path, "stage dir", "usr", "bin", "other"), "");
    make("uninstall", ...stage);
    expect(files()).toEqual(["other"]);
  });
});
