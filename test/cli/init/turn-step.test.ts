// The Codex step and the test turn of `codexlb init`.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codexStep } from "../../../src/cli/init/codex-step.ts";
import { rootStep } from "../../../src/cli/init/root-step.ts";
import { runSteps } from "../../../src/cli/init/run-steps.ts";
import { turnStep } from "../../../src/cli/init/turn-step.ts";
import { CodexlbError } from "../../../src/errors.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { enrol, startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { turnCodex } from "../../support/turn-codex.ts";
import { machineIn, openOf, scriptedDialog } from "./scripted-dialog.ts";

let pool: TestPool;
let temp: TempDirectory;
beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
});
afterAll(() => pool[Symbol.asyncDispose]());
beforeEach(() => {
  temp = tempDirectory();
});
afterEach(() => temp[Symbol.dispose]());

const PATH = process.env.PATH ?? "";

/** The set-up of the pool's root, with the answers of a user. */
function onPool(binary: string, answers: readonly string[] = []) {
  const { setUp } = machineIn(temp.path, { env: { PATH, CODEXLB_CODEX_BIN: binary } });
  const talk = scriptedDialog(answers);
  const { layout } = pool;
  return {
    talk,
    setUp: {
      ...setUp,
      context: { ...setUp.context, layout },
      dialog: talk.dialog,
      rootFlags: ["--root", layout.root],
      codexFlags: ["--codex-bin", binary],
    },
  };
}

test("Codex is shown with its version and its path", async () => {
  const binary = turnCodex(temp.path);
  const { setUp } = machineIn(temp.path, { env: { PATH, CODEXLB_CODEX_BIN: binary } });
  expect(await codexStep(setUp, true).detect()).toEqual({
    kind: "done",
    detail: `Codex 0.171.0 (${binary})`,
  });
});

test("a missing Codex says how to install it, and so does a program that is not Codex", async () => {
  const { setUp } = machineIn(temp.path, { env: { PATH: "/nowhere" } });
  expect(await codexStep(setUp, true).detect()).toMatchObject({
    kind: "unavailable",
    detail: "Codex is not installed: program not found: codex",
    next: expect.stringContaining("npm install -g @openai/codex"),
    isRequired: true,
  });
  const other = join(temp.path, "other");
  writeFileSync(other, "#!/bin/sh\necho hello\n", { mode: 0o755 });
  expect(await codexStep({ ...setUp, binary: other }, true).detect()).toMatchObject({
    detail: `${other} is not Codex: with --version it prints "hello"`,
  });
});

test("the search for Codex leaves the user's Codex home alone, to which Codex writes at every start", async () => {
  const binary = join(temp.path, "writing");
  const script = '[ -n "$CODEX_HOME" ] || CODEX_HOME=$HOME/.codex\ntouch "$CODEX_HOME/started"';
  writeFileSync(binary, `#!/bin/sh\n${script}\necho codex-cli 0.171.0\n`, { mode: 0o755 });
  const { setUp, home } = machineIn(temp.path, { env: { PATH, CODEXLB_CODEX_BIN: binary } });
  mkdirSync(join(home, ".codex"));
  expect((await codexStep(setUp, true).detect()).kind).toBe("done");
  expect(readdirSync(join(home, ".codex"))).toEqual([]);
});

test("the search for Codex ends with an interruption", async () => {
  const slow = join(temp.path, "slow");
  writeFileSync(slow, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
  const { setUp } = machineIn(temp.path, { env: { PATH } });
  const stopping = new AbortController();
  const found = codexStep({ ...setUp, binary: slow, signal: stopping.signal }, true).detect();
  const error = new CodexlbError("interrupted", "interrupted", { next: "again" });
  stopping.abort(error);
  expect(await found.catch((reason: unknown) => reason)).toBe(error);
});

test("the state directory is created after a yes, readable only by the user", async () => {
  const declined = machineIn(temp.path, { answers: ["n"] });
  await runSteps([rootStep(declined.setUp)], declined.setUp.dialog, { isAsked: true });
  expect(await Bun.file(declined.root).exists()).toBe(false);
  const here = machineIn(temp.path, { answers: [""] });
  const [end] = await runSteps([rootStep(here.setUp)], here.setUp.dialog, { isAsked: true });
  expect(end?.kind).toBe("done");
  expect((await Bun.file(here.root).stat()).mode & 0o777).toBe(0o700);
  expect(here.talk.text()).toEndWith(`  Create it? [Y/n] \n  ✓ ${here.root}\n`);
});

test("the turn needs an account and Codex", async () => {
  const here = machineIn(temp.path);
  expect(await turnStep(here.setUp).detect()).toMatchObject({ detail: "needs an account" });
  mkdirSync(here.root);
  expect(await turnStep(here.setUp).detect()).toMatchObject({ detail: "needs an account" });
  enrol(layoutOf(here.root), "alice", pool.mock.authFile("alice"));
  const { setUp } = machineIn(temp.path, { env: { PATH: "/nowhere" } });
  expect(await turnStep(setUp).detect()).toMatchObject({ detail: "needs Codex" });
});

test("without a proxy the turn says that one is started", async () => {
  const binary = turnCodex(temp.path);
  const here = machineIn(temp.path, { env: { PATH, CODEXLB_CODEX_BIN: binary } });
  enrol(layoutOf(here.root), "alice", pool.mock.authFile("alice"));
  const { details } = openOf(await turnStep(here.setUp).detect());
  expect(details[0]).toContain("It costs one short turn of that account");
  expect(details[1]).toStartWith("No proxy is running");
});

test("a turn that fails shows the end of the output and where to look", async () => {
  const binary = join(temp.path, "failing");
  writeFileSync(
    binary,
    '#!/bin/sh\n[ "$1" = --version ] && { echo codex-cli 0.171.0; exit; }\necho "no model today" >&2; exit 3\n',
    { mode: 0o755 },
  );
  const { setUp, talk } = onPool(binary, ["y", "n"]);
  const [end] = await runSteps([turnStep(setUp)], setUp.dialog, { isAsked: true });
  expect(end?.kind).toBe("failed");
  expect(talk.text()).toContain("! the turn failed. The last lines that Codex printed:\n");
  expect(talk.text()).toContain("no model today\n");
  expect(talk.text()).toContain(`To find the reason: codexlb doctor --root ${pool.layout.root}\n`);
});

test("a turn through the pool shows the account that answered; then the step is done", async () => {
  const { setUp, talk } = onPool(turnCodex(temp.path), [""]);
  const [end] = await runSteps([turnStep(setUp)], setUp.dialog, { isAsked: true });
  expect(end?.kind).toBe("done");
  expect(talk.text()).toEndWith("  Run it? [Y/n] \n  ✓ alice answered: Hello from alice\n");
  expect(await turnStep(setUp).detect()).toEqual({
    kind: "done",
    detail: "alice has served, a moment ago",
  });
});
