// `codexlb init` with real Codex: the test turn reaches the pool, and a no to every question leaves the home as it is.

import { expect } from "bun:test";
import { globSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { hashOfDirectory } from "../support/directory-hash.ts";
import { executable } from "../support/executable.ts";
import { gated } from "../support/gated.ts";
import { noPanes, openPane } from "../support/tmux.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";

const VERSIONS = [CODEX_VERSIONS.newest, CODEX_VERSIONS.today, CODEX_VERSIONS.old] as const;
const { beforeAll, describe, test } = gated("real Codex, init", whyNoCodex(...VERSIONS));

const binaries = new Map<string, string>();
beforeAll(async () => {
  for (const version of VERSIONS) binaries.set(version, await codexBinary(version));
}, 300_000);

/** A machine with Codex on the PATH, whose home has the login of alice. */
function machineWith(version: string) {
  const tool = executable();
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  const home = join(tool.directory, "home");
  const temporary = join(tool.directory, "temporary");
  mkdirSync(join(home, ".codex"));
  mkdirSync(temporary);
  writeFileSync(join(home, ".codex", "auth.json"), mock.authFile("alice"));
  return {
    home,
    tool,
    env: {
      PATH: `${tool.directory}:${dirname(binaries.get(version) ?? "")}:${process.env.PATH ?? ""}`,
      HOME: home,
      CODEXLB_ROOT: join(home, ".codex-lb"),
      SHELL: "/bin/sh",
      // Codex writes helpers to a home that is outside of the temporary directory.
      TMPDIR: temporary,
      CODEXLB_UPSTREAM: mock.baseUrl,
      CODEXLB_TOKEN_URL: mock.tokenUrl,
      CODEXLB_CONTAINER_LISTEN: "127.0.0.1:0",
    },
    [Symbol.asyncDispose]: async () => {
      await tool.run(["proxy", "stop"], { CODEXLB_ROOT: join(home, ".codex-lb") });
      await mock.stop();
      tool[Symbol.dispose]();
    },
  };
}

/** What `init` prints about Codex. A long path goes to the next line. */
function foundCodex(version: string): RegExp {
  return new RegExp(`ok Codex ${RegExp.escape(version)}\\s+\\(`);
}

describe.each(VERSIONS)("init with Codex %s", (version) => {
  test("runs the test turn through the pool, and Codex saves no thread", async () => {
    await using machine = machineWith(version);
    const { code, out, err } = await machine.tool.run(["init", "--yes"], machine.env);
    expect([code, err]).toEqual([0, expect.not.stringContaining("not finished")]);
    expect(out).toMatch(foundCodex(version));
    expect(out).toContain("ok alice answered: Hello from alice\n");
    expect(globSync("**/rollout-*", { cwd: machine.home })).toEqual([]);
  });

  test.skipIf(noPanes() !== undefined)("a no to every question changes nothing", async () => {
    await using machine = machineWith(version);
    const { tool, home, env } = machine;
    const before = hashOfDirectory(home);
    using pane = await openPane({ columns: 100, rows: 60, cwd: tool.directory, env });
    const code = pane.start("clear; codexlb init");
    await pane.shows("Create it? [Y/n]");
    pane.line("n");
    expect(await code()).toBe(0);
    expect(pane.screen().join("\n")).toMatch(foundCodex(version));
    expect(hashOfDirectory(home)).toBe(before);
  });
});
