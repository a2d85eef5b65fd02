// The user's settings in real Codex under `codexlb run`: files that the settings name, profiles, and keys with which
// Codex would delete the login.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CODEX_VERSIONS, codexBinary } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { expectTurn, type Setup, startReal } from "./setup.ts";

let newest = "";
let recorder: Recorder;
beforeAll(async () => {
  newest = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

const EXEC = ["exec", "--json", "--skip-git-repo-check"];

/** Creates a user's own home whose config.toml consists of `lines`. */
function ownHome(s: Setup, lines: readonly string[]): string {
  const home = join(s.tool.directory, "own");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "config.toml"), `${lines.join("\n")}\n`);
  return home;
}

const asked = (s: Setup) => JSON.stringify(s.mock.requests.map(({ json }) => json));

describe("codexlb run with the settings of the user's own home", () => {
  test("Codex reads the files named in them", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, ['model_instructions_file = "mine.md"']);
    writeFileSync(join(home, "mine.md"), "Answer like a pirate of seven seas.");
    expectTurn(await s.codexArgs(newest, [...EXEC, "hello"], { CODEX_HOME: home }), "alice");
    expect(asked(s)).toContain("pirate of seven seas");
  });

  test("Codex finds a profile and its files, and still uses the proxy", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, []);
    writeFileSync(
      join(home, "work.config.toml"),
      'model_instructions_file = "work.md"\nopenai_base_url = "http://127.0.0.1:1/v1"\nchatgpt_base_url = "http://127.0.0.1:1/"\n',
    );
    writeFileSync(join(home, "work.md"), "Answer like a clerk of nine offices.");
    const args = [...EXEC, "--profile", "work", "hello"];
    expectTurn(await s.codexArgs(newest, args, { CODEX_HOME: home }), "alice");
    expect(asked(s)).toContain("clerk of nine offices");
  });

  test("Codex finds its stub although the user keeps logins in a keyring", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, ['cli_auth_credentials_store = "keyring"']);
    expectTurn(await s.codexArgs(newest, [...EXEC, "hello"], { CODEX_HOME: home }), "alice");
  });

  test("keys with which Codex would delete the login are left out, which is reported once", async () => {
    await using s = await startReal(recorder);
    const home = ownHome(s, ['forced_login_method = "api"', 'forced_chatgpt_workspace_id = "w1"']);
    const path = join(home, "config.toml");
    const ran = await s.codexArgs(newest, [...EXEC, "hello"], { CODEX_HOME: home });
    expectTurn(ran, "alice");
    expect(ran.err).toContain(
      `settings not copied, because with them Codex would delete the stub login: forced_login_method in ${path}, forced_chatgpt_workspace_id in ${path}\n`,
    );
    const linked = readdirSync(s.tool.root).find((name) => name.startsWith("codex-home-")) ?? "none";
    expect(readFileSync(join(s.tool.root, linked, "auth.json"), "utf8")).toContain("proxy-only");
    const again = await s.codexArgs(newest, [...EXEC, "hello"], { CODEX_HOME: home });
    expectTurn(again, "alice");
    expect(again.err).not.toContain("settings not copied");
  });
});
