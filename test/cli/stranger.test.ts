// Another program listens on the port of the proxy: it gets no token, key or stub, and Codex does not start.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { readSecret, secretFile } from "../../src/auth/secrets.ts";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { runCli } from "../support/cli.ts";
import { enrol, startPool } from "../support/pool.ts";
import { startStranger } from "../support/stranger.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const deps = systemDeps();
const CLIENT_KEY = `clb_${"k".repeat(43)}`;

let temp: TempDirectory;
let mock: MockBackend;
let codex = "";
const started = () => join(temp.path, "codex-started");

beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "alice" }], clock: deps.clock });
  codex = join(temp.path, "codex");
  writeFileSync(codex, `#!/bin/sh\ntouch '${started()}'\ncat "$CODEX_HOME/auth.json" > '${started()}'\n`, {
    mode: 0o755,
  });
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

let serial = 0;
/** A root with secrets and an account, whose settings have a proxy on `port`. */
function rootAt(port: number): Layout {
  const layout = layoutOf(join(temp.path, `root-${++serial}`));
  enrol(layout, "alice", mock.authFile("alice"));
  writeFileSync(layout.config, `[proxy]\nlisten = "127.0.0.1:${port}"\n[run]\ninherit_shell = false\n`);
  secretFile(layout.adminToken, deps.random);
  secretFile(layout.signingKey, deps.random);
  return layout;
}

const run = (args: readonly string[], env: Record<string, string>) =>
  runCli(args, { compiled: true, cwd: temp.path, env: { CODEXLB_CODEX_BIN: codex, ...env } });

/** The secrets that the stranger must not receive. */
function expectNoSecret(received: string, layout: Layout): void {
  for (const secret of [readSecret(layout.adminToken), readSecret(layout.signingKey), CLIENT_KEY])
    expect(received).not.toContain(secret ?? "no secret");
}

describe("with the proxy down, another program on its port", () => {
  const COMMANDS: [readonly string[], number][] = [
    [["status"], 1],
    [["status", "--json"], 1],
    [["status", "--short"], 1],
    [["explain"], 1],
    [["account", "list", "--proxy-name", "edge"], 1],
    [["account", "pin", "--proxy-name", "edge", "alice"], 1],
    [["account", "login", "--proxy-name", "edge", "bob"], 1],
    [["proxy", "logs", "--proxy-name", "edge"], 1],
    [["run", "exec", "hi"], 1],
    [["run", "--account", "alice", "exec", "hi"], 1],
    [["run", "--native-home", "exec", "hi"], 1],
    // These commands use the files, and doctor only warns.
    [["account", "list"], 0],
    [["key", "list"], 0],
    [["doctor", "--fix", "--codex-bin", "/nowhere/codex"], 1],
  ];

  for (const relayed of [false, true])
    test.each(COMMANDS)(
      `gets nothing from %p (exit %p)${relayed ? ", whatever it passes on" : ""}`,
      async (args, code) => {
        await using pool = relayed ? await startPool({ accounts: [{ alias: "alice" }] }) : undefined;
        await using stranger = startStranger(pool?.url);
        const layout = rootAt(stranger.port);
        // The proxy behind the stranger knows this root's token, as if the root's proxy had moved to another port.
        if (pool !== undefined) writeFileSync(layout.adminToken, pool.adminToken);
        const env = { CODEXLB_ROOT: layout.root, CODEXLB_CLIENT_KEY: CLIENT_KEY };
        const ran = await run(args, env);
        if (args[0] !== "doctor") {
          expect([args, ran.code]).toEqual([args, code]);
          if (code !== 0)
            expect(ran.err).toContain(
              `the server at ${stranger.url} is not this root's proxy\n  find out which program`,
            );
        }
        expectNoSecret(stranger.received(), layout);
        expect(stranger.received().toLowerCase()).not.toContain("bearer");
        expect(existsSync(started())).toBe(false);
      },
    );
});

describe("a proxy that the user names", () => {
  test("gets no token or key before it proves that it knows it", async () => {
    await using stranger = startStranger();
    const layout = rootAt(1);
    const named = { CODEXLB_ROOT: layout.root, CODEXLB_PROXY_URL: stranger.url };
    const given = { ...named, CODEXLB_ADMIN_TOKEN: "t".repeat(43), CODEXLB_CLIENT_KEY: CLIENT_KEY };
    for (const args of [["status"], ["explain"], ["account", "list"], ["run", "exec", "hi"]])
      for (const env of [named, given]) await run(args, env);
    expectNoSecret(stranger.received(), layout);
    expect(stranger.received()).not.toContain("t".repeat(43));
    // The user named this proxy, so Codex starts, but with a stub that no proxy accepts.
    const shown = JSON.parse(readFileSync(started(), "utf8")).tokens.access_token as string;
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const answer = await fetch(`${pool.url}/v1/models`, { headers: { authorization: `Bearer ${shown}` } });
    expect(answer.status).toBe(401);
    await Bun.file(started()).delete();
  });

  test("works through a man in the middle, who learns no secret and cannot change a request", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("front", "parent");
    await using between = startStranger(pool.url);
    const env = { CODEXLB_ROOT: join(temp.path, "elsewhere"), CODEXLB_PROXY_URL: between.url };
    const admin = { ...env, CODEXLB_ADMIN_TOKEN: pool.adminToken };
    expect((await run(["account", "pin", "alice"], admin)).out).toBe("pinned account alice\n");
    expect((await run(["status"], { ...env, CODEXLB_CLIENT_KEY: key })).code).toBe(0);
    expect(between.received()).not.toContain(pool.adminToken);
    expect(between.received()).not.toContain(key);
    // A captured proof works neither a second time nor for another request.
    const proofs = [...between.received().matchAll(/"authorization","(Codexlb-Proof [^"]+)"/gi)].map(
      ([, proof = ""]) => proof,
    );
    expect(proofs.length).toBeGreaterThan(1);
    for (const authorization of proofs)
      for (const [method, path, body] of [
        ["GET", "/status", undefined],
        ["GET", "/admin/accounts", undefined],
        ["POST", "/admin/account/pin", '{"alias":"alice"}'],
        ["POST", "/admin/account/rm", '{"alias":"alice"}'],
      ] as const) {
        const answer = await fetch(`${pool.url}${path}`, {
          method,
          headers: { authorization, "content-type": "application/json" },
          ...(body === undefined ? {} : { body }),
        });
        expect([path, answer.status]).toEqual([path, 401]);
      }
    expect((await pool.accounts.list()).map(({ alias }) => alias)).toEqual(["alice"]);
  });

  test("without support for proofs gets the request without the token, with a warning", async () => {
    const seen: string[] = [];
    await using old = Object.assign(
      Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: (request) => {
          const { pathname } = new URL(request.url);
          if (pathname === "/") return Response.json({ ok: true, service: "codexlb-proxy" });
          const shown = request.headers.get("authorization");
          if (shown !== null) seen.push(shown);
          return pathname === "/admin/accounts"
            ? Response.json({ accounts: [] })
            : Response.json({ error: "not found" }, { status: 404 });
        },
      }),
      { [Symbol.asyncDispose]: async () => {} },
    );
    const env = { CODEXLB_ROOT: rootAt(1).root, CODEXLB_PROXY_URL: `http://127.0.0.1:${old.port}` };
    const given = await run(["account", "list"], { ...env, CODEXLB_ADMIN_TOKEN: "given" });
    expect(given).toMatchObject({ code: 0, out: "no accounts\n" });
    expect(given.err.match(/warning: .* does not support proofs .* is not sent to it/g)?.length).toBe(1);
    expect((await run(["account", "list"], env)).code).toBe(0);
    expect(seen).toEqual([]);
    await old.stop(true);
  });
});

test("commands reach the root's own proxy over its socket, wherever it listens", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  await using stranger = startStranger();
  writeFileSync(pool.layout.config, `[proxy]\nlisten = "127.0.0.1:${stranger.port}"\n`);
  const env = { CODEXLB_ROOT: pool.layout.root };
  for (const args of [["status"], ["explain"], ["account", "list"], ["proxy", "logs"], ["run", "exec", "hi"]])
    expect([args, (await run(args, env)).code]).toEqual([args, 0]);
  expect(stranger.received()).toBe("");
  await Bun.file(started()).delete();
});
