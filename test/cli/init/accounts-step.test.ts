// The accounts step of `codexlb init`: which logins it offers to import, and the commands that it runs.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeStub } from "../../../src/auth/stub.ts";
import { accountsStep } from "../../../src/cli/init/accounts-step.ts";
import { runSteps, type StepEnd } from "../../../src/cli/init/run-steps.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { type Machine, machineIn, openOf } from "./scripted-dialog.ts";

let mock: MockBackend;
let temp: TempDirectory;
beforeAll(() => {
  mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
});
afterAll(() => mock.stop());
beforeEach(() => {
  temp = tempDirectory();
});
afterEach(() => temp[Symbol.dispose]());

/** Writes an auth.json to `home`. */
function logIn(home: string, auth: string): void {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "auth.json"), auth);
}

/** A machine with a root. The import of logins is real; logins in a browser only succeed. */
function machine(answers: readonly string[] | "preset", env: Record<string, string> = {}): Machine {
  const made = machineIn(temp.path, {
    answers,
    env,
    run: async (words) => {
      if (words[1] !== "import") return true;
      const { code } = await runCli(words, { cwd: temp.path });
      return code === 0;
    },
  });
  mkdirSync(made.root, { recursive: true, mode: 0o700 });
  return made;
}

async function run({ setUp }: Machine, isAsked = true): Promise<StepEnd["kind"] | undefined> {
  const [end] = await runSteps([accountsStep(setUp)], setUp.dialog, { isAsked });
  return end?.kind;
}

test("without a state directory nothing is offered", async () => {
  const { setUp } = machineIn(temp.path);
  expect(await accountsStep(setUp).detect()).toMatchObject({
    kind: "unavailable",
    detail: "needs the state directory",
  });
});

test("the login of ~/.codex is offered first, with a suggested name, and enrolled with account import", async () => {
  const here = machine(["y", "", "n"]);
  const home = join(here.home, ".codex");
  logIn(home, mock.authFile("alice"));
  expect(await run(here)).toBe("done");
  expect(here.commands).toEqual([`account import --root ${here.root} --from ${home} alice`]);
  expect(here.talk.text()).toContain(`${home} is logged in as alice@example.com.`);
  expect(here.talk.text()).toContain('use "codexlb run", not "codex"');
  expect(here.talk.text()).toContain("1 account: alice (alice@example.com).");
  // The second time it is known, and only more accounts are offered.
  const again = machine(["n"]);
  expect(await run(again)).toBe("done");
  expect(again.commands).toEqual([]);
  expect(again.talk.text()).not.toContain("Import it?");
});

test("after a no to the import, the other ways are offered and nothing has changed", async () => {
  const here = machine(["n", "n"]);
  logIn(join(here.home, ".codex"), mock.authFile("alice"));
  expect(await run(here)).toBe("skipped");
  expect(here.commands).toEqual([]);
  expect(here.talk.prompts).toEqual(["Import it? [Y/n]", "Add an account? [b/D/i/n]"]);
});

test("with --yes the login is imported under the suggested name, and no browser is opened", async () => {
  const here = machine("preset");
  const own = join(here.home, ".codex");
  logIn(own, mock.authFile("bob"));
  expect(await run(here, false)).toBe("done");
  expect(here.commands).toEqual([`account import --root ${here.root} --from ${own} bob`]);
});

test("with --yes and without a login no account is enrolled", async () => {
  const here = machine("preset");
  expect(await run(here, false)).toBe("skipped");
  expect(here.commands).toEqual([]);
});

test("the logins of CODEX_HOME and ~/.codex are both offered, and once if they are the same home", async () => {
  const other = join(temp.path, "other");
  const both = machine(["n", "n", "n"], { CODEX_HOME: other });
  logIn(other, mock.authFile("bob"));
  logIn(join(both.home, ".codex"), mock.authFile("alice"));
  await run(both);
  expect(both.talk.prompts.filter((prompt) => prompt.startsWith("Import"))).toHaveLength(2);
  const link = join(temp.path, "link");
  symlinkSync(join(both.home, ".codex"), link);
  const same = machine(["n", "n"], { CODEX_HOME: link });
  await run(same);
  expect(same.talk.prompts.filter((prompt) => prompt.startsWith("Import"))).toHaveLength(1);
});

test.each([
  ["the stub of codexlb", JSON.stringify(makeStub("pro", "key", 0)), undefined],
  ["an API key", '{"OPENAI_API_KEY":"sk-x"}', /auth\.json/],
  ["broken JSON", "{", /auth\.json/],
])("%s in ~/.codex is not offered", async (_what, auth, why) => {
  const here = machine(["n"]);
  logIn(join(here.home, ".codex"), auth);
  expect(await run(here)).toBe("skipped");
  if (why === undefined) expect(here.talk.text()).not.toContain("auth.json");
  else expect(here.talk.text()).toMatch(why);
});

test("a login in the keyring is mentioned", async () => {
  const here = machine(["n"]);
  const home = join(here.home, ".codex");
  mkdirSync(home);
  writeFileSync(join(home, "config.toml"), 'cli_auth_credentials_store = "keyring"\n');
  await run(here);
  expect(here.talk.text()).toContain(`${home} keeps its login in the system keyring`);
});

test("accounts are added one after the other: browser, code, path", async () => {
  const other = join(temp.path, "home", "elsewhere");
  logIn(other, mock.authFile("bob"));
  const here = machine(["b", "", "d", "work", "i", "/nowhere", "~/elsewhere", "", "n"]);
  expect(await run(here)).toBe("done");
  expect(here.commands).toEqual([
    `account login --root ${here.root} account1`,
    `account login --root ${here.root} work --device-auth`,
    `account import --root ${here.root} --from ${other}`,
  ]);
  expect(here.talk.text()).toContain("! /nowhere does not exist");
  expect(here.talk.text()).toContain("1 account: bob (bob@example.com).");
});

test("Enter instead of a path goes back to the question before", async () => {
  const here = machine(["i", "/nowhere", "", "n"]);
  expect(await run(here)).toBe("skipped");
  expect(here.commands).toEqual([]);
  expect(here.talk.prompts.filter((prompt) => prompt.startsWith("Add an account?"))).toHaveLength(2);
});

test("init asks again for a name that cannot be used", async () => {
  const here = machine(["y", "alice", "d", "no good", "ALICE", "", "n"]);
  logIn(join(here.home, ".codex"), mock.authFile("alice"));
  await run(here);
  expect(here.talk.text()).toContain('! invalid alias "no good": use 1 to 128 letters');
  expect(here.talk.text()).toContain("! alice is enrolled already; choose another name");
  expect(here.commands.at(-1)).toBe(`account login --root ${here.root} account2 --device-auth`);
});

test("a login that failed is offered again", async () => {
  const made = machineIn(temp.path, { answers: ["d", "", "n"], run: async () => false });
  mkdirSync(made.root);
  expect(await run(made)).toBe("failed");
  expect(made.talk.prompts.at(-1)).toBe("Add an account? [b/D/i/n]");
});

test("Enter chooses the browser where one can open, and a code elsewhere", async () => {
  for (const [env, enter] of [
    [{ DISPLAY: ":0" }, "b"],
    [{}, "d"],
  ] as const) {
    if (process.platform === "darwin") continue;
    const { setUp } = machine([], env);
    expect(openOf(await accountsStep(setUp).detect()).offer.enter).toBe(enter);
  }
});
