// The manual page: it is valid for the programs that display it, and complete.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { defineCommand } from "citty";
import { COMMANDS } from "../../../src/cli/command-tree.ts";
import { COMMON_FLAGS } from "../../../src/cli/common-flags.ts";
import { everyCommand } from "../../../src/cli/help/command-description.ts";
import { ENVIRONMENT } from "../../../src/cli/help/environment-variables.ts";
import { EXIT_STATUS } from "../../../src/cli/help/exit-status.ts";
import { manualPage } from "../../../src/cli/help/manual-page.ts";
import { ERROR_CODES } from "../../../src/errors.ts";
import { runCli } from "../../support/cli.ts";
import { isThere } from "../../support/shells.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const REPOSITORY = join(import.meta.dir, "..", "..", "..");
const EDITION = { version: "1.2.3", date: "2026-01-31" };
let temp: TempDirectory;
let path: string;
let page: string;

beforeAll(async () => {
  temp = tempDirectory();
  path = join(temp.path, "codexlb.1");
  page = (await runCli(["man"], { cwd: temp.path })).out;
  writeFileSync(path, page);
});
afterAll(() => temp[Symbol.dispose]());

async function run(argv: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...argv], {
    cwd: temp.path,
    env: { PATH: process.env.PATH ?? "", HOME: temp.path, LC_ALL: "C.UTF-8", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out: plain(out), err };
}

/** `text` without the overstrikes of bold and underlined letters. */
function plain(text: string): string {
  return [...text].filter((letter, at, all) => letter !== "\b" && all[at + 1] !== "\b").join("");
}

describe("the page", () => {
  const hasMandoc = isThere("mandoc", "mandoc's opinion of the manual page");
  const hasGroff = isThere("groff", "groff's opinion of the manual page");
  const hasMan = isThere("man", "the manual page as man shows it");

  test.skipIf(!hasMandoc)("is valid for mandoc", async () => {
    expect(await run(["mandoc", "-T", "lint", "-W", "warning", path])).toEqual({ code: 0, out: "", err: "" });
  });

  test.skipIf(!hasGroff)("is valid for groff", async () => {
    const { code, err } = await run(["groff", "-ww", "-man", "-Tutf8", path]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
  });

  test.skipIf(!hasMan)("is shown by man, no wider than the terminal", async () => {
    const { code, out, err } = await run(["man", "-l", path], { MANWIDTH: "80", MANPAGER: "cat" });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const line of out.split("\n")) expect([line, Bun.stringWidth(line) <= 80]).toEqual([line, true]);
    expect(out.match(/^[A-Z][A-Z ]+$/gm)).toEqual([
      "NAME",
      "SYNOPSIS",
      "DESCRIPTION",
      "COMMON FLAGS",
      "COMMANDS",
      "ENVIRONMENT",
      "FILES",
      "EXIT STATUS",
      "EXAMPLES",
      "SEE ALSO",
    ]);
    expect(out).toContain("codexlb - run Codex over several ChatGPT accounts");
    expect(out).toMatch(
      /\n {3}codexlb account rm \[FLAGS\] ALIAS\.\.\.\n {7}Remove accounts and their stored logins\./,
    );
    expect(out).toMatch(/\n {7}--codex-home DIR\n {14}\S/);
    expect(out).toContain("~/.codex-lb/config.toml");
  });

  test("has every command with its flags, every variable and every exit code", async () => {
    const text = page.replaceAll("\\-", "-").replaceAll(/\\f[BIR]/g, "");
    for (const { name, path: words, flags } of (await everyCommand(COMMANDS)).slice(1)) {
      const [, own = ""] =
        new RegExp(`\\n\\.SS "${name}(?: [^"a-z]*[^"]*)?"\\n([\\s\\S]*?)\\n\\.S[SH] `).exec(text) ?? [];
      expect([words, own !== ""]).toEqual([words, true]);
      for (const flag of flags) expect([words, own.includes(`--${flag.name}`)]).toEqual([words, true]);
    }
    for (const { name } of ENVIRONMENT) expect(text).toContain(`\n.TP\n${name}\n`);
    for (const code of Object.keys(EXIT_STATUS)) expect(text).toContain(`\n.TP\n${code}\n`);
  });

  test("describes a common flag once, and a flag of a parent command only there", () => {
    const text = page.replaceAll("\\-", "-").replaceAll(/\\f[BIR]|\\&/g, "");
    const described = (flag: string) => text.match(new RegExp(`\\n\\.TP\\n--${flag}(?= |\\n)`, "g"))?.length;
    for (const name of [...Object.keys(COMMON_FLAGS), "max-attempts"])
      expect([name, described(name)]).toEqual([name, 1]);
    expect(text).toContain(
      "\nThe same as for codexlb proxy: --listen, --upstream, --max-attempts, --usage-timeout-ms,",
    );
    expect(text).toContain("\nCommon flags: --root, --proxy-url, --proxy-name, --admin-token.\n");
    expect(text).toContain(
      "the default is http://<proxy.listen> for run, setup, status, wait, explain, dashboard and doctor, and the root itself",
    );
  });

  test.skipIf(!hasMandoc)("shows every text unchanged", async () => {
    const odd = String.raw`.TH 'x' \fBx\fR "y" \n ~^${"`"}$( <é> --- e-mail \\`;
    const root = defineCommand({
      meta: { name: "tool", description: "A tool" },
      subCommands: {
        one: defineCommand({
          meta: { name: "tool one", description: odd },
          args: { flag: { type: "string", description: ".x", valueHint: "'A\"B" } },
          run: () => undefined,
        }),
      },
    });
    writeFileSync(join(temp.path, "odd.1"), manualPage(await everyCommand(root), EDITION));
    const { out } = await run(["mandoc", "-T", "utf8", "-O", "width=200", join(temp.path, "odd.1")]);
    expect(out).toContain(`\n       ${odd}.\n`);
    expect(out).toContain(`\n       --flag 'A"B\n              .x.\n`);
    expect(await run(["mandoc", "-T", "lint", "-W", "warning", join(temp.path, "odd.1")])).toMatchObject({
      out: "",
    });
  });
});

describe("the tables have", () => {
  test("exactly the variables of codexlb that the program reads", async () => {
    const read = new Set<string>();
    for (const file of new Glob("**/*.ts").scanSync(join(REPOSITORY, "src"))) {
      const text = await Bun.file(join(REPOSITORY, "src", file)).text();
      for (const [, name = ""] of text.matchAll(/\benv\.(CODEXLB_\w+)/g)) read.add(name);
    }
    expect(
      ENVIRONMENT.map(({ name }) => name)
        .filter((name) => name.startsWith("CODEXLB_"))
        .sort(),
    ).toEqual([...read].sort());
  });

  test("every exit code of an error, as in docs/login.md", () => {
    const codes = new Set([0, ...Object.values(ERROR_CODES).map(({ exit }) => exit)]);
    expect(Object.keys(EXIT_STATUS).map(Number)).toEqual([...codes].sort((a, b) => a - b));
    const page = readFileSync(join(REPOSITORY, "docs/login.md"), "utf8").replaceAll("`", "");
    const rows = [...page.matchAll(/^\| (1\d) +\| (.*?) +\|$/gm)].map(([, code, why]) => [code, why]);
    expect(rows).toEqual(Object.entries(EXIT_STATUS).filter(([code]) => /^1\d$/.test(code)));
  });

  test("every variable of ours that the documentation names, which names all of them", () => {
    const named = ["README.md", "docs/commands.md", "docs/configuration.md"].flatMap(
      (page) => readFileSync(join(REPOSITORY, page), "utf8").match(/CODEXLB_[A-Z_]+/g) ?? [],
    );
    const ours = ENVIRONMENT.map(({ name }) => name).filter((name) => name.startsWith("CODEXLB_"));
    expect([...new Set(named)].sort()).toEqual(ours.sort());
  });
});

test("a terminal gets the page as man shows it, or the page itself without man", async () => {
  using temp = tempDirectory();
  const man = join(temp.path, "man");
  const shown = async () =>
    (await runCli(["man"], { cwd: temp.path, env: { PATH: `${temp.path}:/bin` }, terminal: 80 })).out;
  writeFileSync(man, '#!/bin/sh\necho "shown by man $*"\nread -r line\necho "first line: $line"\n', {
    mode: 0o755,
  });
  expect(await shown()).toMatch(/^shown by man -l -\r?\nfirst line: .+\r?\n$/);
  writeFileSync(man, "#!/bin/sh\nexit 1\n");
  expect(await shown()).toContain(".TH");
});
