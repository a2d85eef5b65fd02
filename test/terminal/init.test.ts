// `codexlb init` of the executable in a real terminal: from nothing to the first answer, interrupted at every question,
// and with a no to every question.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { hashOfDirectory } from "../support/directory-hash.ts";
import { type Executable, executable } from "../support/executable.ts";
import { noPanes, openPane, type Pane } from "../support/tmux.ts";
import { turnCodex } from "../support/turn-codex.ts";

const why = noPanes();
if (why !== undefined) console.log(`skipped: codexlb init in a terminal (${why})`);

let mock: MockBackend;
let tool: Executable;
let home: string;
beforeAll(() => {
  mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
});
afterAll(() => mock.stop());
beforeEach(() => {
  tool = executable();
  turnCodex(tool.directory);
  home = join(tool.directory, "home");
  mkdirSync(join(home, ".codex"));
  writeFileSync(join(home, ".codex", "auth.json"), mock.authFile("alice"));
  writeFileSync(join(home, ".bashrc"), "# mine\n");
});
afterEach(async () => {
  await tool.run(["proxy", "stop"], { CODEXLB_ROOT: join(home, ".codex-lb") });
  mock.faults.clear();
  tool[Symbol.dispose]();
});

function openShell(columns = 80): Promise<Pane> {
  return openPane({
    columns,
    rows: 90,
    cwd: tool.directory,
    env: {
      PATH: `${tool.directory}:${process.env.PATH ?? ""}`,
      HOME: home,
      SHELL: "/bin/bash",
      LC_ALL: "C.UTF-8",
      CODEXLB_UPSTREAM: mock.baseUrl,
      CODEXLB_TOKEN_URL: mock.tokenUrl,
      CODEXLB_ISSUER: mock.origin,
      CODEXLB_CONTAINER_LISTEN: "127.0.0.1:0",
    },
  });
}

/** Resolves to the screen when its last line is a question that contains `question`. */
const asks = (pane: Pane, question: string): Promise<string[]> =>
  pane.shows((lines) => (lines.findLast((line) => line !== "") ?? "").includes(question));

/** Answers a question and waits until the answer was read: Enter moves to the next line. */
async function answer(pane: Pane, question: string, text = ""): Promise<void> {
  await asks(pane, question);
  pane.line(text);
}

describe.skipIf(why !== undefined)("init", () => {
  for (const columns of [60, 100])
    test(`leads from nothing to the first answer, with two accounts, on ${columns} columns`, async () => {
      using pane = await openShell(columns);
      const modes = await pane.modes();
      const code = pane.start("clear; codexlb init");
      await answer(pane, "Create it? [Y/n]");
      await answer(pane, "Import it? [Y/n]");
      await answer(pane, "Name for the account [alice]");
      await fetch(`${mock.origin}/__mock/login`, { method: "POST", body: '{"alias":"bob"}' });
      await answer(pane, "Add another account? [b/d/i/N]", "d");
      await answer(pane, "Name for the account [account2]", "bob");
      await answer(pane, "Add another account? [b/d/i/N]");
      await answer(pane, "Start the proxy? [", "b");
      await answer(pane, "[y/N]", "y");
      await answer(pane, "Run it? [Y/n]");
      expect(await code()).toBe(0);
      const lines = pane.screen();
      expect(lines.filter((line) => line.startsWith("  ✓")).map((line) => line.slice(4))).toEqual([
        expect.stringMatching(/^Codex 0\.171\.0/),
        expect.stringContaining(tool.directory.slice(0, 20)),
        "2 accounts",
        expect.stringMatching(/^running on http:\/\/127\.0\.0\.1:\d+/),
        expect.stringMatching(/^bash: /),
        expect.stringMatching(/^(?:alice|bob) answered: Hello from (?:alice|bob)$/),
      ]);
      expect(lines).toContain("Three commands to remember");
      expect(readFileSync(join(home, ".bashrc"), "utf8")).toBe(
        '# mine\neval "$(codexlb completions bash)"\n',
      );
      expect(await pane.modes()).toBe(modes);
    });

  test("Ctrl-C at any question keeps what is finished, and the next start continues there", async () => {
    using pane = await openShell();
    const [create, take, name, more, start, edit, turn] = [
      ["Create it? [Y/n]", "y"],
      ["Import it? [Y/n]", "y"],
      ["Name for the account [alice]", ""],
      ["Add another account?", "n"],
      ["Start the proxy? [", "b"],
      ["[y/N]", "y"],
      ["Run it? [Y/n]", "y"],
    ] as const;
    // Each start shows only the questions that are left. The last one of each is interrupted.
    for (const questions of [
      [create],
      [create, take],
      [take, name],
      [take, name, more],
      [more, start],
      [more, start, edit],
      [more, edit, turn],
    ]) {
      const code = pane.start("clear; codexlb init");
      for (const [question, reply] of questions.slice(0, -1)) await answer(pane, question, reply);
      await asks(pane, questions.at(-1)?.[0] ?? "");
      pane.press("C-c");
      expect(await code()).toBe(130);
      const lines = pane.screen();
      expect(lines).toContain("codexlb: interrupted by SIGINT; everything that was finished stays");
      expect(lines).toContain("  continue with: codexlb init");
    }
    const code = pane.start("clear; codexlb init");
    await answer(pane, ...more);
    await answer(pane, ...turn);
    expect(await code()).toBe(0);
    await pane.shows("✓ alice answered: Hello from alice");
  });

  test("answers that are typed early are kept for their questions", async () => {
    using pane = await openShell();
    const code = pane.start("clear; codexlb init");
    await asks(pane, "Create it?");
    pane.line("n\nn");
    expect(await code()).toBe(0);
    expect(pane.screen().filter((line) => line.endsWith("  skipped"))).toHaveLength(2);
  });

  test("Ctrl-C during a login ends init, and the finished account stays", async () => {
    using pane = await openShell();
    const code = pane.start("clear; codexlb init");
    await answer(pane, "Create it?");
    await answer(pane, "Import it?");
    await answer(pane, "Name for the account [alice]");
    await answer(pane, "Add another account?", "b");
    await answer(pane, "Name for the account [account2]", "bob");
    await pane.shows("Open this in a browser");
    pane.press("C-c");
    expect(await code()).toBe(130);
    await pane.shows(/^ {2}continue with: codexlb init$/);
    const again = pane.start("clear; codexlb init");
    await asks(pane, "Add another account?");
    expect(pane.screen().join("\n")).toContain("1 account: alice (alice@example.com).");
    pane.press("C-d");
    expect(await again()).toBe(130);
    await pane.shows("codexlb: the input ended; everything that was finished stays");
  });

  test("Ctrl-C during the test turn ends it, and the next start offers it again", async () => {
    using pane = await openShell();
    expect(await pane.run("clear; codexlb init --yes --no-turn")).toBe(0);
    mock.faults.add({ on: "turn", hang: true });
    const code = pane.start("clear; codexlb init");
    await answer(pane, "Add another account?");
    await answer(pane, "[y/N]");
    await answer(pane, "Run it?");
    await pane.shows("running one turn with Codex");
    pane.press("C-c");
    expect(await code()).toBe(130);
    mock.faults.clear();
    const again = pane.start("clear; codexlb init");
    await answer(pane, "Add another account?");
    await answer(pane, "[y/N]");
    await answer(pane, "Run it?");
    expect(await again()).toBe(0);
    await pane.shows("alice answered: Hello from alice");
  });

  test("a no to every question changes nothing in the home", async () => {
    using pane = await openShell();
    const empty = hashOfDirectory(home);
    const first = pane.start("clear; codexlb init");
    await answer(pane, "Create it?", "n");
    await answer(pane, "[y/N]", "n");
    expect(await first()).toBe(0);
    expect(hashOfDirectory(home)).toBe(empty);

    // With a root and an account, the other questions are asked too.
    const root = { CODEXLB_ROOT: join(home, ".codex-lb") };
    const login = join(tool.directory, "bob");
    mkdirSync(login);
    writeFileSync(join(login, "auth.json"), mock.authFile("bob"));
    expect((await tool.run(["account", "import", "--from", login, "bob"], root)).code).toBe(0);
    const enrolled = hashOfDirectory(home);
    const second = pane.start("clear; codexlb init");
    await answer(pane, "Import it?", "n");
    await answer(pane, "Add another account?", "n");
    await answer(pane, "Start the proxy?", "n");
    await answer(pane, "[y/N]", "n");
    await answer(pane, "Run it?", "n");
    expect(await second()).toBe(0);
    expect(hashOfDirectory(home)).toBe(enrolled);
    expect(pane.screen().filter((line) => line === "  skipped")).toHaveLength(3);
  });

  test("there are no colours if the user does not want them", async () => {
    for (const [variable, styled] of [
      ["", true],
      ["NO_COLOR=1 ", false],
    ] as const) {
      using pane = await openShell();
      pane.line(`clear; ${variable}codexlb init`);
      await asks(pane, "Create it?");
      expect([variable, pane.isStyled()]).toEqual([variable, styled]);
      pane.press("C-c");
      await pane.shows("continue with: codexlb init");
    }
  });
});
