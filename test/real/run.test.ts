// The features of `codexlb run` with real Codex: starting a proxy, pinning an account, using the user's own home, and
// the report at the end if Codex bypassed the proxy.

import { expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { expectTurn, startReal } from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, run",
  whyNoCodex(CODEX_VERSIONS.old, CODEX_VERSIONS.today),
);

let today = "";
let old = "";
let recorder: Recorder;
beforeAll(async () => {
  today = await codexBinary(CODEX_VERSIONS.today);
  old = await codexBinary(CODEX_VERSIONS.old);
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

const EXEC = ["exec", "--json", "--skip-git-repo-check", "hello"];

describe("codexlb run with real Codex", () => {
  test("pins one run to an account, over WebSocket and over SSE", async () => {
    await using s = await startReal(recorder);
    for (const binary of [today, old]) {
      const pinned = await s.codexArgs(binary, ["--account", "bob", ...EXEC]);
      expectTurn(pinned, "bob");
      expect(pinned.err).not.toContain("codexlb:");
      expectTurn(await s.codexArgs(binary, EXEC), "alice");
    }
    expect(s.mock.requests.filter(({ path }) => path.includes("@"))).toEqual([]);
  });

  test("leaves the user's own home and login alone", async () => {
    await using s = await startReal(recorder);
    const home = join(s.tool.directory, "native");
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), s.mock.authFile("bob"));
    writeFileSync(join(home, "config.toml"), "# mine\n");
    const before = ["auth.json", "config.toml"].map((name) => [
      readFileSync(join(home, name), "utf8"),
      statSync(join(home, name)).mtimeMs,
    ]);
    const ran = await s.codexArgs(today, ["--native-home", ...EXEC], { CODEX_HOME: home });
    expectTurn(ran, "alice");
    expect(
      ["auth.json", "config.toml"].map((name) => [
        readFileSync(join(home, name), "utf8"),
        statSync(join(home, name)).mtimeMs,
      ]),
    ).toEqual(before);
    // Codex keeps its sessions in the user's home, where the user finds them.
    expect(readdirSync(home)).toContain("sessions");
    expect(readdirSync(s.tool.root).filter((name) => /runtime|home/.test(name))).toEqual([]);
  });

  test("starts a proxy, which serves the run and exits after it", async () => {
    await using s = await startReal(recorder);
    const root = join(s.tool.directory, "alone");
    const login = join(s.tool.directory, "logins", "alice");
    await s.tool.run(["account", "import", "--root", root, "--from", login, "alice"]);
    writeFileSync(
      join(root, "config.toml"),
      `[proxy]\nlisten = "127.0.0.1:0"\nupstream_base_url = "${s.mock.baseUrl}"\n`,
    );
    const ran = await s.tool.run(["run", "--auto-start", "--codex-bin", today, ...EXEC], {
      CODEXLB_ROOT: root,
      CODEXLB_TOKEN_URL: s.mock.tokenUrl,
      SHELL: "/bin/sh",
      HTTPS_PROXY: recorder.url,
    });
    expectTurn(ran, "alice");
    expect(ran.err).toContain("no proxy is running; starting one for this run");
    const log = () => readFileSync(join(root, "logs", "proxy.current.jsonl"), "utf8");
    for (let tries = 0; tries < 200 && !log().includes("proxy.stopping"); tries++) await Bun.sleep(50);
    expect(log()).toContain('"signal":"deserted"');
  });

  test("keeps Codex's settings, and uses the intended home even if a shell profile sets another one", async () => {
    await using s = await startReal(recorder);
    for (const binary of [today, old]) {
      const codex = (...args: string[]) =>
        s.codexArgs(binary, args, { CODEX_HOME: "", HOME: home, SHELL: "/bin/bash" });
      const home = join(s.tool.directory, `home-${binary === today ? "today" : "old"}`);
      mkdirSync(home);
      writeFileSync(join(home, ".bash_profile"), 'export CODEX_HOME="$HOME/elsewhere"\n');
      expect((await codex("mcp", "add", "kept", "--", "echo", "hi")).code).toBe(0);
      const found = await codex("mcp", "get", "kept");
      expect([found.code, found.out.includes("command: echo")]).toEqual([0, true]);
      expectTurn(await codex(...EXEC), "alice");
      expect((await codex("mcp", "remove", "kept")).code).toBe(0);
      expect((await codex("mcp", "get", "kept")).code).not.toBe(0);
      expect(readdirSync(home).filter((name) => name === "elsewhere")).toEqual([]);
    }
  });

  test("explains which program an unknown flag belongs to", async () => {
    await using s = await startReal(recorder);
    for (const binary of [today, old]) {
      const misspelt = await s.codexArgs(binary, ["--acount", "bob", ...EXEC]);
      expect(misspelt.code).toBe(2);
      expect(misspelt.err).toContain("unexpected argument '--acount' found");
      expect(misspelt.err).toEndWith(
        "codexlb: --acount was passed to Codex; did you mean codexlb run --account?\n",
      );
      const late = await s.codexArgs(binary, [...EXEC, "--account", "bob"]);
      expect(late.code).toBe(2);
      expect(late.err).toEndWith(
        "codexlb: --account is a flag of codexlb run and must come before the arguments for Codex: codexlb run --account ...\n",
      );
    }
    const other = await s.codexArgs(today, ["--bogus", ...EXEC]);
    expect(other.code).toBe(2);
    expect(other.err).toContain("Codex ended with code 2 before it sent a request");
  });

  test("reports that Codex was configured to bypass the proxy", async () => {
    await using s = await startReal(recorder);
    const elsewhere = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("", { status: 500 }),
    });
    const provider = `model_providers.mine={name="mine",base_url="http://127.0.0.1:${elsewhere.port}",wire_api="responses",request_max_retries=0,stream_max_retries=0}`;
    const ran = await s.codexArgs(today, ["-c", provider, "-c", "model_provider=mine", ...EXEC]);
    await elsewhere.stop(true);
    expect(ran.code).not.toBe(0);
    expect(s.points("message")).toEqual([]);
    expect(ran.err).toMatch(
      /codexlb: the proxy at \S+ received no turn from this run: .*model_provider=mine/,
    );
  });
});
