// Real Codex started without `codexlb run`, after `codexlb setup`: a plain `codex exec`, and the app-server that the
// IDE extension and the desktop app use.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

/** Creates a user's own home that is logged in as bob and set up by `codexlb setup`. */
async function setUpHome(s: Setup) {
  const home = join(s.tool.directory, "own");
  mkdirSync(home);
  writeFileSync(join(home, "auth.json"), s.mock.authFile("bob"));
  writeFileSync(join(home, "config.toml"), "# mine\n");
  const env = { CODEX_HOME: home };
  const { code, err } = await s.tool.run(["setup", "--proxy-url", s.url], env);
  if (code !== 0) throw new Error(err);
  return { home, env: s.tool.env({ ...env, HTTPS_PROXY: recorder.url }) };
}

test("a plain codex uses the proxy after codexlb setup, and keeps its login", async () => {
  await using s = await startReal(recorder);
  const { home, env } = await setUpHome(s);
  const login = readFileSync(join(home, "auth.json"), "utf8");
  const child = Bun.spawn([newest, "exec", "--json", "--skip-git-repo-check", "hello"], {
    cwd: s.work,
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expectTurn({ out, err, code }, "alice");
  expect(readFileSync(join(home, "auth.json"), "utf8")).toBe(login);
  expect((await s.tool.run(["unsetup"], { CODEX_HOME: home })).code).toBe(0);
  expect(readFileSync(join(home, "config.toml"), "utf8")).toBe("# mine\n");
});

test("the app-server uses the proxy after codexlb setup, and through codexlb run", async () => {
  await using s = await startReal(recorder);
  const { env } = await setUpHome(s);
  expect(await appServerTurn([newest, "app-server"], env, s.work)).toBe("Hello from alice");
  const run = [s.tool.path, "run", "--proxy-url", s.url, "--codex-bin", newest, "app-server"];
  const noisy = join(s.tool.directory, "noisy");
  mkdirSync(noisy);
  writeFileSync(join(noisy, ".bash_profile"), "echo welcome\n");
  const shell = { ...env, SHELL: "/bin/bash", HOME: noisy };
  expect(await appServerTurn(run, shell, s.work)).toBe("Hello from alice");
});

/**
 * Runs a turn over JSON lines, as editors do. Resolves to the text of the agent. Throws if a line of the output is not
 * JSON.
 */
async function appServerTurn(argv: string[], env: Record<string, string>, cwd: string): Promise<string> {
  const child = Bun.spawn(argv, { cwd, env, stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const send = (message: unknown) => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    void child.stdin.flush();
  };
  send({ id: 1, method: "initialize", params: { clientInfo: { name: "test", version: "1" } } });
  send({ method: "initialized" });
  send({ id: 2, method: "thread/start", params: { cwd } });
  const decoder = new TextDecoder();
  let text = "";
  let answer = "";
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const message = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      if (message.id === 2)
        send({
          id: 3,
          method: "turn/start",
          params: { threadId: message.result.thread.id, input: [{ type: "text", text: "hello" }] },
        });
      if (message.method === "item/completed" && message.params.item.type === "agentMessage")
        answer = message.params.item.text;
      if (message.method === "turn/completed") child.stdin.end();
    }
  }
  await child.exited;
  return answer;
}
