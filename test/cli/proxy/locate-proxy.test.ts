// How commands find the proxy: with one request, and by the same rules.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layoutOf } from "../../../src/state/layout.ts";
import { runCli } from "../../support/cli.ts";
import { startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let pool: TestPool;
/** A root whose admin socket forwards everything to the proxy of `pool`. */
let root: string;
let server: Bun.Server<undefined>;
/** The requests at that socket, such as `GET /status`. */
let requests: string[];

beforeAll(async () => {
  temp = tempDirectory();
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const layout = layoutOf(join(temp.path, "root"));
  root = layout.root;
  mkdirSync(root, { mode: 0o700 });
  requests = [];
  server = Bun.serve({
    unix: layout.adminSocket,
    development: false,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      requests.push(`${request.method} ${pathname}`);
      return fetch(`http://localhost${pathname}${search}`, {
        unix: pool.layout.adminSocket,
        method: request.method,
        headers: request.headers,
        ...(request.method === "POST" ? { body: await request.text() } : {}),
      });
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

/** Runs a command on the root, and returns what it sent to the socket. */
async function askedBy(args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
  requests.length = 0;
  const ran = await runCli(args, { cwd: temp.path, env: { CODEXLB_ROOT: root, ...env } });
  expect(ran).toMatchObject({ code: 0 });
  return [...requests];
}

describe("with a daemon, a command asks once where the proxy is", () => {
  const question = "GET /admin/version";
  const commands: readonly (readonly [command: string, requests: readonly string[]])[] = [
    ["account list", [question, "GET /admin/accounts"]],
    ["account show bob", [question, "GET /admin/account/show"]],
    ["account enable bob", [question, "GET /admin/accounts", "POST /admin/account/enable"]],
    ["account pin bob", [question, "POST /admin/account/pin"]],
    ["account pin openai:alice", [question, "POST /admin/account/pin"]],
    ["account unpin", [question, "POST /admin/account/unpin"]],
    ["account list --tree", [question, "GET /status"]],
    ["status", [question, "GET /status"]],
    ["status --json", [question, "GET /status"]],
    ["explain", [question, "GET /admin/explain"]],
    ["proxy logs", [question, "GET /logs"]],
    ["key list", [question, "GET /admin/keys"]],
    ["config show", [question, "GET /admin/config"]],
    ["run --command", [question]],
  ];
  for (const [command, expected] of commands)
    test(command, async () => {
      expect(await askedBy(command.split(" "))).toEqual([...expected]);
    });
});

describe("a named proxy that is the root's own is reached over its socket", () => {
  for (const command of ["account list", "status", "explain", "proxy logs"])
    test(command, async () => {
      const asked = await askedBy(command.split(" "), { CODEXLB_PROXY_URL: pool.url });
      expect(asked.length).toBe(2);
    });

  test("unless the user gives a token for it", async () => {
    const env = { CODEXLB_PROXY_URL: pool.url, CODEXLB_ADMIN_TOKEN: pool.adminToken };
    for (const command of ["account list", "status", "explain", "proxy logs"])
      expect(await askedBy(command.split(" "), env)).toEqual(["GET /admin/version"]);
  });
});

describe("doctor checks the proxy that the other commands use", () => {
  const doctor = async (url: string, at = join(temp.path, "client")) => {
    mkdirSync(at, { recursive: true, mode: 0o700 });
    const config = join(at, "config.toml");
    writeFileSync(config, `[proxy]\nproxy_url = "${url}"\n`, { mode: 0o600 });
    const ran = await runCli(["doctor", "--root", at, "--codex-bin", "/nowhere/codex"], { cwd: temp.path });
    rmSync(config);
    return ran;
  };

  test("also if the settings name it", async () => {
    const { out } = await doctor(pool.url);
    expect(out).toContain(
      `proxy: ok (${pool.url} answers)\naccess: ok (the proxy accepts codexlb run from this machine)\n`,
    );
    expect(out).toContain(`accounts: ok (no accounts on this root; Codex uses those of ${pool.url})\n`);
  });

  test("and names the invalid setting", async () => {
    const { out } = await doctor("http://127.0.0.1:1");
    expect(out).toContain("proxy: bad (http://127.0.0.1:1: connection refused)\n");
    expect(out).toContain("    start it there with: codexlb proxy, or check proxy.proxy_url\n");
  });

  test("in full if it is the root's own", async () => {
    const { out } = await doctor(pool.url, root);
    expect(out).toContain(`on ${pool.url}, process ${process.pid})\n`);
    expect(out).toContain(`port: ok (${pool.url} answers)\n`);
  });
});
