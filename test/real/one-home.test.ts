// The user's own Codex home under `codexlb run` with real Codex: threads continue in both directions, instructions and
// prompts are seen, and the home stays as it is.

import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gated } from "../support/gated.ts";
import { noPanes, openPane, type Pane } from "../support/tmux.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { type CodexResult, expectTurn, type Setup, startReal, threadOf } from "./setup.ts";

const VERSIONS = [CODEX_VERSIONS.newest, CODEX_VERSIONS.today] as const;
const { afterAll, beforeAll, describe, test } = gated("real Codex, one home", whyNoCodex(...VERSIONS));

const binaries = new Map<string, string>();
let recorder: Recorder;
beforeAll(async () => {
  for (const version of VERSIONS) binaries.set(version, await codexBinary(version));
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

const EXEC = ["exec", "--json", "--skip-git-repo-check"];
const LAST = [...EXEC, "resume", "--last"];

interface OwnHome {
  readonly path: string;
  /** Runs Codex without codexlb. */
  plain(args: readonly string[]): Promise<CodexResult>;
  /** Runs Codex through the pool. */
  pooled(args: readonly string[]): Promise<CodexResult>;
  /** A hash of each of the user's own files. */
  hashes(): Record<string, string>;
}

const OWN_FILES = [
  "AGENTS.md",
  "auth.json",
  "config.toml",
  "prompts/tidy.md",
  "skills/knit/SKILL.md",
] as const;

/** `~/.codex` with instructions, a prompt, a skill, and the login of alice, whose plain Codex uses the backend. */
function ownHome(s: Setup, version: string): OwnHome {
  const binary = binaries.get(version) ?? "";
  const path = join(s.tool.directory, "home", ".codex");
  for (const name of OWN_FILES) mkdirSync(join(path, name, ".."), { recursive: true });
  const write = (name: (typeof OWN_FILES)[number], text: string) => writeFileSync(join(path, name), text);
  write("AGENTS.md", "Speak like a lighthouse keeper.\n");
  write("prompts/tidy.md", "Tidy the seventh drawer.\n");
  write("skills/knit/SKILL.md", "---\nname: knit\ndescription: knits woollen llamas\n---\nKnit.\n");
  write("auth.json", s.mock.authFile("alice"));
  const origin = new URL(s.mock.baseUrl);
  write(
    "config.toml",
    [
      `openai_base_url = "${s.mock.baseUrl}/codex"`,
      `chatgpt_base_url = "http://localhost:${origin.port}/backend-api/"`,
      "[tui.presets.1]",
      'input = "Tidy the ninth drawer."',
      'label = ""',
      "",
    ].join("\n"),
  );
  return {
    path,
    plain: async (args) => {
      const child = Bun.spawn([binary, ...args], {
        cwd: s.work,
        env: s.tool.env({ SHELL: "/bin/sh", CODEX_REFRESH_TOKEN_URL_OVERRIDE: s.mock.tokenUrl }),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      return { code, out, err };
    },
    pooled: (args) => s.codexArgs(binary, args),
    hashes: () =>
      Object.fromEntries(
        OWN_FILES.map((name) => [
          name,
          createHash("sha256")
            .update(readFileSync(join(path, name)))
            .digest("hex"),
        ]),
      ),
  };
}

/** A terminal in which `codexlb` and Codex of `version` can run. */
function openRun(s: Setup, version: string): Promise<Pane> {
  return openPane({
    columns: 240,
    rows: 40,
    cwd: s.work,
    env: s.tool.env({
      SHELL: "/bin/sh",
      CODEXLB_CODEX_BIN: binaries.get(version) ?? "",
      CODEXLB_PROXY_URL: s.url,
      PATH: `${s.tool.directory}:${process.env.PATH}`,
      HTTPS_PROXY: recorder.url,
    }),
  });
}

const asked = (s: Setup) => JSON.stringify(s.mock.requests.map(({ json }) => json));

describe.each(VERSIONS)("codexlb run with the home of plain Codex %s", (version) => {
  test("continues its threads, and plain Codex those of the run", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, version);
    const begun = await home.plain([...EXEC, "first"]);
    expectTurn(begun, "alice");
    const thread = threadOf(begun);
    for (const args of [
      [...LAST, "second"],
      [...EXEC, "resume", thread, "third"],
    ]) {
      const resumed = await home.pooled(args);
      expectTurn(resumed, "alice");
      expect(threadOf(resumed)).toBe(thread);
    }
    const back = await home.plain([...LAST, "fourth"]);
    expectTurn(back, "alice");
    expect(threadOf(back)).toBe(thread);
    const other = await home.pooled([...EXEC, "fifth"]);
    expect(threadOf(await home.plain([...LAST, "sixth"]))).toBe(threadOf(other));
    for (const text of ["first", "second", "third", "fourth"]) expect(asked(s)).toContain(text);
  });

  test("continues a thread on another account, and plain Codex lists it", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, version);
    const begun = await home.plain([...EXEC, "first"]);
    const resumed = await home.pooled(["--account", "bob", ...LAST, "second"]);
    expectTurn(resumed, "bob");
    expect(threadOf(resumed)).toBe(threadOf(begun));
    // The backend refuses bob's reasoning for alice, which plain Codex does not remove.
    const back = await home.plain([...LAST, "third"]);
    expect([threadOf(back), back.code]).toEqual([threadOf(begun), 1]);
    expect(back.out).toContain("invalid_encrypted_content");
    expectTurn(await home.pooled([...LAST, "fourth"]), "bob");
  });

  test("sees its instructions and skills, and changes none of the user's files", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, version);
    const before = home.hashes();
    expectTurn(await home.pooled([...EXEC, "hello"]), "alice");
    expect(asked(s)).toContain("lighthouse keeper");
    expect(asked(s)).toContain("woollen llamas");
    const linked = join(s.tool.root, "codex-home");
    expect(readFileSync(join(linked, "prompts", "tidy.md"), "utf8")).toContain("seventh drawer");
    expect(home.hashes()).toEqual(before);
    // What Codex writes is where plain Codex would write it.
    const files = readdirSync(linked).filter((name) => lstatSync(join(linked, name)).isFile());
    const own = [".codexlb-taken-over.toml", "auth.json", "config.toml", "models_cache.json"];
    expect(files.filter((name) => !own.includes(name) && name !== ".sandbox_migration")).toEqual([]);
    expect(readdirSync(home.path)).toContain("state_5.sqlite");
    expect(readFileSync(join(linked, "auth.json"), "utf8")).not.toContain(
      JSON.parse(s.mock.authFile("alice")).tokens.refresh_token,
    );
  });

  test("works in two runs and plain Codex at the same time", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, version);
    const before = home.hashes();
    const all = await Promise.all([
      home.pooled([...EXEC, "one"]),
      home.pooled([...EXEC, "two"]),
      home.plain([...EXEC, "three"]),
    ]);
    for (const ran of all) expectTurn(ran, "alice");
    expect(new Set(all.map(threadOf)).size).toBe(3);
    for (const ran of all) {
      const resumed = await home.pooled([...EXEC, "resume", threadOf(ran), "more"]);
      expect(threadOf(resumed)).toBe(threadOf(ran));
    }
    expect(home.hashes()).toEqual(before);
  });

  test("has threads of its own with --isolated-home", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, version);
    const begun = await home.plain([...EXEC, "first"]);
    const isolated = await home.pooled(["--isolated-home", ...LAST, "second"]);
    expectTurn(isolated, "alice");
    expect(threadOf(isolated)).not.toBe(threadOf(begun));
    expect(readdirSync(join(s.tool.root, "runtime"))).toContain("sessions");
    expect(readdirSync(s.tool.root)).not.toContain("codex-home");
  });

  // Codex 0.169 and later offers no files in prompts. Their successors are settings.
  test.skipIf(noPanes() !== undefined)(
    "offers its presets",
    async () => {
      await using s = await startReal(recorder);
      const home = ownHome(s, version);
      const before = home.hashes();
      using pane = await openRun(s, version);
      const code = pane.start("codexlb run");
      await pane.shows("Ask Codex to do anything");
      pane.press("/presets");
      await pane.shows("› /presets");
      pane.press("Enter");
      await pane.shows("1 · Tidy the ninth drawer.");
      pane.press("1");
      await pane.shows("Hello from alice");
      expect(asked(s)).toContain("Tidy the ninth drawer.");
      pane.press("/quit");
      await pane.shows("› /quit");
      pane.press("Enter");
      expect(await code()).toBe(0);
      expect(home.hashes()).toEqual(before);
    },
    120_000,
  );

  test.skipIf(noPanes() !== undefined)(
    "ends with a line that continues its thread in the pool, after Codex's own",
    async () => {
      await using s = await startReal(recorder);
      const home = ownHome(s, version);
      using pane = await openRun(s, version);
      const code = pane.start("codexlb run");
      await pane.shows("Ask Codex to do anything");
      pane.press("hello");
      await pane.shows("› hello");
      pane.press("Enter");
      await pane.shows("Hello from alice");
      pane.press("/quit");
      await pane.shows("› /quit");
      pane.press("Enter");
      expect(await code()).toBe(0);
      const screen = pane.screen().join("\n");
      const [, own] = /^ *codex resume (\S+)$/m.exec(screen) ?? [];
      const [, pooled] = /^codexlb: .* run: codexlb run resume (\S+)$/m.exec(screen) ?? [];
      expect([own, own]).toEqual([pooled, expect.stringMatching(/^[0-9a-f-]{36}$/)]);
      for (const codex of [home.plain, home.pooled]) {
        const resumed = await codex([...EXEC, "resume", pooled ?? "", "more"]);
        expectTurn(resumed, "alice");
        expect(threadOf(resumed)).toBe(pooled ?? "");
      }
    },
    120_000,
  );
});
