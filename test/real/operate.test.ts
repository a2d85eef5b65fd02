// Real Codex in uses other than turns: logging accounts in, and `codexlb doctor`.

import { expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { type Executable, executable } from "../support/executable.ts";
import { gated } from "../support/gated.ts";
import { startUpstream } from "../support/upstream.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, operate",
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

interface Setup extends AsyncDisposable {
  readonly mock: MockBackend;
  readonly tool: Executable;
  readonly env: Record<string, string>;
  /** Approves the code of the next login as this account. */
  approve(alias: string): Promise<unknown>;
  authOf(alias: string): { tokens: { refresh_token: string; account_id: string } };
}

function start(codex: string): Setup {
  const tool = executable();
  const mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
  mkdirSync(tool.root, { mode: 0o700 });
  writeFileSync(
    join(tool.root, "config.toml"),
    `[proxy]\nname = "edge"\nupstream_base_url = "${mock.baseUrl}"\n` +
      `[commands]\nlogin = ["login", "--device-auth", "--experimental_issuer", "${mock.origin}"]\n`,
    { mode: 0o600 },
  );
  return {
    mock,
    tool,
    env: { CODEXLB_CODEX_BIN: codex, CODEXLB_TOKEN_URL: mock.tokenUrl, HTTPS_PROXY: recorder.url },
    approve: (alias) =>
      fetch(`${mock.origin}/__mock/login`, { method: "POST", body: JSON.stringify({ alias }) }),
    authOf: (alias) => JSON.parse(readFileSync(join(tool.root, "accounts", alias, "auth.json"), "utf8")),
    [Symbol.asyncDispose]: async () => {
      await mock.stop();
      tool[Symbol.dispose]();
    },
  };
}

describe("codexlb account login with real Codex", () => {
  test("enrols accounts, and logging in again does not end the login that serves", async () => {
    await using s = start(today);
    const login = (alias: string) => s.tool.run(["account", "login", alias], s.env);
    const first = await login("work");
    expect(first.out).toContain("MOCK-CODE");
    expect(first.out).toEndWith("registered account work (total=1)\n");
    expect(s.authOf("work").tokens.account_id).toBe("mock-alice");
    await s.approve("bob");
    expect((await login("home")).out).toEndWith("registered account home (total=2)\n");
    const before = s.authOf("home").tokens.refresh_token;
    expect((await login("home")).code).toBe(0);
    expect(s.authOf("home").tokens.refresh_token).not.toBe(before);
    // Codex revokes the login of the home it works in. None of these homes had a login.
    expect(s.mock.requests.filter(({ path }) => path === "/oauth/revoke")).toEqual([]);
    expect(s.mock.accounts.isLive(before)).toBe(true);
    expect(readdirSync(join(s.tool.root, "logins"))).toEqual([]);
    // Bob's login does not take the place of alice's.
    const other = await login("work");
    expect(other.code).toBe(1);
    expect(other.err).toContain(
      "work is enrolled as alice@example.com, but this login is for bob@example.com",
    );
    expect(s.authOf("work").tokens.account_id).toBe("mock-alice");
  });

  test("streams from the proxy's machine, where the account is in service immediately", async () => {
    await using s = start(today);
    await using proxy = await s.tool.start(["proxy", "--listen", "127.0.0.1:0"], s.env);
    const url = /listening on (\S+)/.exec(proxy.firstLine)?.[1] ?? "";
    const elsewhere = {
      CODEXLB_ROOT: join(s.tool.directory, "elsewhere"),
      CODEXLB_ADMIN_TOKEN: readFileSync(join(s.tool.root, "admin.token"), "utf8").trim(),
      CODEXLB_PROXY_URL: url,
      CODEXLB_CODEX_BIN: "/nowhere/codex",
    };
    const ran = await s.tool.run(["account", "login", "work"], elsewhere);
    expect(ran.out).toContain("MOCK-CODE");
    expect(ran.out).toEndWith("registered account work (total=1)\n");
    expect((await s.tool.run(["account", "list"], elsewhere)).out).toBe(
      "work\topenai:work\talice@example.com\tready\n",
    );
  });
});

test("codexlb account export writes a login that real Codex accepts", async () => {
  await using s = start(today);
  await s.tool.run(["account", "login", "work"], s.env);
  const home = join(s.tool.directory, "exported");
  mkdirSync(home);
  expect((await s.tool.run(["account", "export", "work", "--to", home])).code).toBe(0);
  for (const codex of [today, old]) {
    const child = Bun.spawn([codex, "login", "status"], {
      env: { HOME: s.tool.directory, PATH: process.env.PATH ?? "", CODEX_HOME: home },
      stdout: "ignore",
      stderr: "pipe",
    });
    expect(await child.stderr.text()).toContain("Logged in using ChatGPT");
    expect(await child.exited).toBe(0);
  }
});

describe("codexlb run with real Codex, where clients must authenticate", () => {
  test("every request of Codex is admitted, on the proxy's own root and on another", async () => {
    await using s = start(today);
    await s.tool.run(["account", "login", "work"], s.env);
    const config = join(s.tool.root, "config.toml");
    writeFileSync(
      config,
      `${readFileSync(config, "utf8").replace("[proxy]", "[proxy]\nclient_auth = true")}`,
    );
    await using proxy = await s.tool.start(["proxy", "--listen", "127.0.0.1:0"], s.env);
    const url = /listening on (\S+)/.exec(proxy.firstLine)?.[1] ?? "";
    const key = (await s.tool.run(["key", "add", "laptop"])).out.trim();
    const elsewhere = { CODEXLB_ROOT: join(s.tool.directory, "elsewhere"), CODEXLB_CLIENT_KEY: key };
    mkdirSync(elsewhere.CODEXLB_ROOT, { mode: 0o700 });
    for (const more of [{}, elsewhere]) {
      s.mock.requests.length = 0;
      const ran = await s.tool.run(["run", "--proxy-url", url, "exec", "--skip-git-repo-check", "hello"], {
        ...s.env,
        SHELL: "/bin/sh",
        ...more,
      });
      expect(ran.out).toContain("Hello from alice");
      expect(ran.err).not.toMatch(/401|ERROR|Reconnecting/);
      // Among the requests are those for connectors, which Codex sends without credentials.
      expect(s.mock.requests.some(({ path }) => path.endsWith("/ps/mcp"))).toBe(true);
      expect(s.mock.requests.filter(({ path }) => path.includes("~"))).toEqual([]);
    }
  });
});

describe("codexlb doctor with real Codex", () => {
  const findings = (out: string) =>
    JSON.parse(out) as {
      ok: boolean;
      findings: { check: string; status: string; detail: string; fixed: boolean }[];
      runtime_auth: { ok: boolean };
    };
  const about = (out: string, check: string) => findings(out).findings.find((one) => one.check === check);

  test("reports Codex's version and that its turns reach the proxy, and repairs the home of codexlb run", async () => {
    await using s = start(today);
    await s.tool.run(["account", "login", "work"], s.env);
    const before = await s.tool.run(["doctor", "--json"], s.env);
    expect(before.code).toBe(0);
    expect(about(before.out, "codex")?.detail).toContain(CODEX_VERSIONS.today);
    expect(about(before.out, "traffic")).toMatchObject({
      status: "ok",
      detail: `Codex ${CODEX_VERSIONS.today} sends its turns where codexlb run points it: a test turn reached a simulated proxy over WebSocket`,
    });
    expect(about(before.out, "runtime auth")).toMatchObject({ status: "warning", fixed: false });
    const fixed = await s.tool.run(["doctor", "--fix", "--json"], s.env);
    expect(about(fixed.out, "runtime auth")?.fixed).toBe(true);
    expect(findings(fixed.out).runtime_auth.ok).toBe(true);
    const text = await s.tool.run(["doctor"], s.env);
    expect(text.out).toContain(`runtime auth: ok (${join(s.tool.root, "codex-home", "auth.json")})\n`);
  });

  test("also recognizes the turns of an old version, which use HTTP", async () => {
    await using s = start(old);
    const ran = await s.tool.run(["doctor", "--json"], s.env);
    expect(about(ran.out, "traffic")).toMatchObject({
      status: "ok",
      detail: `Codex ${CODEX_VERSIONS.old} sends its turns where codexlb run points it: a test turn reached a simulated proxy over HTTP`,
    });
  });

  test("finds user settings that make turns bypass the proxy", async () => {
    await using s = start(today);
    await using other = startUpstream(() =>
      Response.json({ error: { message: "not for you" } }, { status: 400 }),
    );
    const home = join(s.tool.directory, "home", ".codex");
    mkdirSync(home, { recursive: true });
    writeFileSync(
      join(home, "config.toml"),
      `model_provider = "other"\n[model_providers.other]\nname = "other"\nbase_url = "${other.baseUrl}"\nwire_api = "responses"\n`,
    );
    const ran = await s.tool.run(["doctor", "--json"], s.env);
    expect(ran.code).toBe(1);
    expect(about(ran.out, "traffic")).toMatchObject({ status: "bad" });
    expect(about(ran.out, "traffic")?.detail).toContain(
      `Codex ${CODEX_VERSIONS.today} does not send its turns where codexlb run points it`,
    );
  });
});
