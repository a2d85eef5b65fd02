// The commands that messages advise: their flags, and that every message writes them with `advised`.

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { ADVISED_COMMANDS, advised, advisedElsewhere, setAdvisedFlags } from "../src/advice.ts";
import { COMMANDS } from "../src/cli/command-tree.ts";
import { everyCommand } from "../src/cli/help/command-description.ts";

const SOURCE = join(import.meta.dir, "..", "src");
const FLAGS = ["root", "proxy-url", "proxy-name", "listen"];

afterEach(() => setAdvisedFlags({}));

test("the flags of an advised command are those that the command defines", async () => {
  const defined = (await everyCommand(COMMANDS)).flatMap(({ path, args, runs }) => {
    // A service need not listen where one command looked for a proxy.
    const taken = FLAGS.filter((name) => name in args && !(name === "listen" && path[0] === "service"));
    return runs && taken.length > 0 ? [[path.join(" "), taken] as const] : [];
  });
  const sorted = (commands: readonly (readonly [string, readonly string[]])[]) =>
    commands.map(([name, flags]) => `${name}: ${flags.join(" ")}`).sort();
  expect(sorted(defined)).toEqual(sorted(Object.entries(ADVISED_COMMANDS)));
});

describe("an advised command", () => {
  test("has no flags by default", () => {
    expect(advised("account login", "ALIAS")).toBe("codexlb account login ALIAS");
  });

  test("has the flags of this process that it takes", () => {
    setAdvisedFlags({ root: "/r", "proxy-url": "http://h:1", "proxy-name": "edge", listen: "127.0.0.1:1" });
    expect(advised("proxy")).toBe("codexlb proxy --root /r --listen 127.0.0.1:1");
    expect(advised("account list")).toBe(
      "codexlb account list --root /r --proxy-url http://h:1 --proxy-name edge",
    );
    expect(advised("status", "--refresh")).toBe("codexlb status --root /r --proxy-url http://h:1 --refresh");
    expect(advised("key add", "NAME")).toBe("codexlb key add --root /r NAME");
  });

  test("has them before its arguments, because those of run are for Codex", () => {
    setAdvisedFlags({ root: "/r" });
    expect(advised("run", "--isolated-home", "resume")).toBe("codexlb run --root /r --isolated-home resume");
  });

  test("keeps a flag that the message gives", () => {
    setAdvisedFlags({ root: "/r", "proxy-name": "front", listen: "127.0.0.1:1" });
    expect(advised("account login", "--proxy-name", "edge", "bob")).toBe(
      "codexlb account login --root /r --proxy-name edge bob",
    );
    expect(advised("proxy", "--listen", "ADDRESS")).toBe("codexlb proxy --root /r --listen ADDRESS");
  });

  test("has no flags for a reader on another machine", () => {
    setAdvisedFlags({ root: "/r" });
    expect(advisedElsewhere("key set", "--rpm", "N", "a b")).toBe("codexlb key set --rpm N 'a b'");
  });

  test("is quoted for a shell", () => {
    setAdvisedFlags({ root: "/a b" });
    expect(advised("account import", "--from", "/it's here", "ALIAS")).toBe(
      `codexlb account import --root '/a b' --from '/it'"'"'s here' ALIAS`,
    );
  });
});

/** Texts that contain a command with one of the flags and do not advise it here, by the reason. */
const ALLOWED: Readonly<Record<string, readonly (readonly [file: string, text: string])[]>> = {
  "the command is for another machine": [
    ["admin/proving.ts", "codexlb key add NAME makes a key there"],
    ["admin/relay.ts", "make a key there with: codexlb key add --role parent NAME"],
    ["cli/doctor/proxy.ts", "start it there with: codexlb proxy, or"],
    ["cli/doctor/pool.ts", "run codexlb status on that machine"],
    ["cli/keys/key-usage.ts", "CODEXLB_CLIENT_KEY=KEY codexlb run"],
    ["cli/run/runtime-home.ts", "create a key on the proxy's machine with: codexlb key add NAME"],
    ["proxy/guard.ts", "run Codex with codexlb run and CODEXLB_CLIENT_KEY"],
    ["upstream/child-status.ts", "create a key there with: codexlb key add --role parent NAME"],
    ["upstream/child.ts", "run codexlb status on that machine"],
  ],
  "it is a form, because the rest of the command is the user's": [
    ["cli/main.ts", "it is a command of Codex; run: codexlb run"],
    ["cli/run/misplaced-flag.ts", "the arguments for Codex: codexlb run"],
    ["cli/run/misplaced-flag.ts", "did you mean codexlb run"],
  ],
  "the flags are not read yet": [["cli/main.ts", "codexlb config path"]],
  "a notification names the root itself, unless its path looks like an e-mail address": [
    ["core/notify/notice.ts", "see why: codexlb account show"],
    ["core/notify/notice.ts", "must log in again: codexlb account login"],
    ["core/notify/notice.ts", "check with: codexlb doctor"],
    ["core/notify/notice.ts", "(codexlb status"],
  ],
  "the page runs in a browser, on any machine": [["dashboard/page/usage-choice.ts", "codexlb usage --since"]],
  "it repeats the flags of the run itself": [["cli/run/resume-line.ts", '"codexlb run", ...[...kept']],
  "it names a command, and does not advise one": [
    ["auth/enrol.ts", "the stub written by codexlb run"],
    ["auth/runtime-auth.ts", "a token of codexlb run"],
    ["cli/doctor/clients.ts", "only codexlb run uses the proxy; codexlb setup adds"],
    ["cli/doctor/codex.ts", "codexlb run creates it again"],
    ["cli/doctor/codex.ts", "(codexlb run does this, too)"],
    ["cli/doctor/codex.ts", "where codexlb run points it"],
    ["cli/doctor/root.ts", "codexlb run creates it"],
    ["cli/doctor/usage-files.ts", "codexlb usage does not count its turns"],
    ["cli/doctor/proxy.ts", "the proxy accepts codexlb run"],
    ["upstream/details.ts", 'undefined : "codexlb account set"'],
    ["cli/accounts/account-lines.ts", "(from codexlb account set)"],
    ["cli/accounts/import-many.ts", "the stub that codexlb run writes"],
    ["cli/init/accounts-step.ts", 'use "codexlb run", not "codex"'],
    ["cli/init/init-command.ts", "codexlb init asks questions"],
    ["cli/init/init-command.ts", "codexlb init sets up accounts"],
    ["cli/init/proxy-step.ts", 'not now: "codexlb run" starts one'],
    ["cli/main.ts", '"codexlb proxy logs"'],
    ["cli/main.ts", '"codexlb status"'],
    ["cli/main.ts", '"codexlb doctor"'],
    ["cli/main.ts", '"codexlb account list"'],
    ["cli/mock/demo-command.ts", "Show the accounts: codexlb status"],
    ["cli/proxy/proxy-command.ts", "printMessage(`codexlb proxy "],
    ["cli/proxy/proxy-command.ts", "codexlb run cannot use an IPv6 address"],
    ["cli/run/link-home.ts", "codexlb run now continues"],
    ["cli/watch/help-page.ts", "show the account as codexlb account show does"],
    ["cli/service/service-status.ts", "(not written by codexlb service install)"],
    ["cli/setup/client-home.ts", "is managed by codexlb run"],
    ["cli/setup/setup-command.ts", "clients configured by codexlb setup"],
    ["cli/setup/unsetup-command.ts", "after codexlb setup"],
    ["cli/setup/unsetup-command.ts", "before codexlb setup"],
    ["cli/setup/unsetup-command.ts", "which codexlb setup had created"],
    ["cli/setup/unsetup-command.ts", "of codexlb setup"],
    ["codex/base-urls.ts", "by codexlb setup"],
    ["cli/run/misplaced-flag.ts", "is a flag of codexlb run"],
    ["codex/home.ts", "that codexlb run would overwrite"],
    ["service/service.ts", "Written by codexlb service install"],
    ["service/systemd-unit.ts", "Description=codexlb proxy ("],
  ],
};
/** Definitions of commands and settings, and examples: help and documentation, which any user reads. */
const DOCUMENTATION =
  /^\s*(?:meta: \{ )?(?:name|description|purpose|command|line): .*$|description: "[^"]*"/gm;
const DOCUMENTATION_FILES: ReadonlySet<string> = new Set([
  "cli/help/manual-page.ts",
  "cli/help/exit-status.ts",
]);
/** The program, as in `it is not a codexlb proxy`. */
const PROGRAM = /\b(?:a|another) codexlb proxy\b/g;

describe("in the sources", () => {
  const names = Object.keys(ADVISED_COMMANDS).join("|");
  const command = new RegExp(`codexlb (?:${names})(?![\\w-])`);
  const transpiler = new Bun.Transpiler({ loader: "ts" });
  const allowed = Object.values(ALLOWED).flat();
  /** The code without comments, with one property per line. */
  const sources = [...new Glob("**/*.ts").scanSync(SOURCE)].sort().map((file) => ({
    file,
    code: transpiler.transformSync(readFileSync(join(SOURCE, file), "utf8")),
  }));

  test("every advised command is written with advised()", () => {
    const found = sources
      .filter(({ file }) => !DOCUMENTATION_FILES.has(file))
      .flatMap(({ file, code }) => {
        const texts = allowed.flatMap(([place, text]) => (place === file ? [text] : []));
        const rest = texts.reduce(
          (text, part) => text.replaceAll(part, ""),
          code.replaceAll(DOCUMENTATION, "").replaceAll(PROGRAM, ""),
        );
        const lines = rest.split("\n").filter((line) => command.test(line));
        return lines.map((line) => `${file}: ${line.trim()}`);
      });
    expect(found).toEqual([]);
  });

  test("every exception is needed", () => {
    const isNeeded = ([file, text]: readonly [string, string]) =>
      command.test(text) && sources.some((source) => source.file === file && source.code.includes(text));
    expect(allowed.filter((one) => !isNeeded(one))).toEqual([]);
  });

  test("no module writes advice while it is loaded, before the flags are known", async () => {
    const modules = sources.map(({ file }) => file).filter((file) => file !== "main.ts");
    const script = `
      Bun.plugin({ name: "refuse", setup: (build) => build.onLoad({ filter: /src\\/advice\\.ts$/ }, () => ({
        loader: "ts",
        contents: "export const ADVISED_COMMANDS = {}, setAdvisedFlags = () => {}, advisedElsewhere = () => '';" +
          "export const advised = () => { throw new Error('advice'); };",
      })) });
      for (const file of ${JSON.stringify(modules)})
        await import(${JSON.stringify(`${SOURCE}/`)} + file).catch((error) => console.log(file + ": " + error.message));
      process.exit(0);`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore", stdout: "pipe" });
    expect(await child.stdout.text()).toBe("");
    expect(await child.exited).toBe(0);
  });
});
