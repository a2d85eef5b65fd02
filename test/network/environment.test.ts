// Tests programs in an environment that sets an HTTP proxy or certificates. Bun reads both by its own rules when it
// starts, so only separate processes show the effect.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { type Chain, startChain, untilChild } from "../support/chain.ts";
import { runCli } from "../support/cli.ts";
import { type CorporateNetwork, corporateNetwork } from "../support/corporate-network.ts";
import { startPool } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

/** A port without a server. */
const DEAD = "http://127.0.0.1:1";
const UPSTREAM = "https://backend.test/backend-api";

let temp: TempDirectory;
let chain: Chain;
let network: CorporateNetwork;
beforeAll(async () => {
  temp = tempDirectory();
  chain = startChain([{ alias: "alice" }]);
  network = await corporateNetwork(["backend.test", "child.test"], () => site);
});
afterAll(async () => {
  await network[Symbol.asyncDispose]();
  await chain[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});
/** The servers behind the hosts of the network. */
let site = "";

async function turns(url: string): Promise<string[]> {
  const session = crypto.randomUUID();
  const clients = [createSseClient(url, session), createSocketClient(url, session)];
  const said = await Promise.all(clients.map((client) => client.turn("hi").catch(String)));
  for (const client of clients) client.close();
  return said;
}

const HELLO = ["Hello from alice", "Hello from alice"];

describe.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"])(
  "with %s in the environment",
  (name) => {
    test("commands reach the codexlb proxy directly", async () => {
      await using pool = await startPool({ accounts: [{ alias: "alice" }] });
      const env = { [name]: DEAD };
      const cli = (...args: string[]) => runCli(args, { cwd: temp.path, env });
      const at = ["--proxy-url", pool.url];
      expect(await cli("status", "--short", ...at)).toMatchObject({ code: 0, err: "" });
      expect(await cli("account", "list", ...at, "--admin-token", pool.adminToken)).toMatchObject({
        code: 0,
        err: "",
        out: expect.stringContaining("alice\topenai:alice"),
      });
      const doctor = await cli("doctor", "--json", ...at, "--codex-bin", "/nowhere/codex");
      expect(doctor.out).toContain(`${pool.url} answers`);
      const here = await cli("doctor", "--root", pool.layout.root, "--codex-bin", "/nowhere/codex");
      expect(here.out).toContain(`${pool.url} answers`);
    });
  },
);

describe("codexlb run", () => {
  const codexIn = (directory: string, script: string) => {
    const path = join(directory, "codex");
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  };

  test("lets Codex reach the proxy directly, and keeps the user's exemptions", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const codex = codexIn(temp.path, 'echo "$NO_PROXY|$no_proxy"');
    const home = join(temp.path, "home-with-profile");
    mkdirSync(home);
    mkdirSync(join(temp.path, "runs"));
    const run = async (env: Record<string, string>) =>
      runCli(
        [
          "run",
          "--root",
          join(temp.path, "runs"),
          "--proxy-url",
          pool.url,
          "--codex-bin",
          codex,
          "--version",
        ],
        {
          cwd: temp.path,
          env: { HOME: home, SHELL: "/bin/sh", HTTP_PROXY: DEAD, ...env },
        },
      );
    const own = "127.0.0.1,localhost,::1";
    expect(await run({})).toMatchObject({ code: 0, out: `${own}|${own}\n` });
    expect((await run({ NO_PROXY: ".corp" })).out).toBe(`.corp,${own}|.corp,${own}\n`);
    expect((await run({ NO_PROXY: "*" })).out).toBe(`*,${own}|*,${own}\n`);
    writeFileSync(join(home, ".profile"), "export NO_PROXY=profile\n");
    // As in the user's own shell, the profile overrides the environment; codexlb adds its hosts to the profile's value.
    expect((await run({ NO_PROXY: ".corp" })).out).toBe(`profile,${own}|profile,${own}\n`);
  });

  test("reports after a failure that the .env of its home sets a proxy, and doctor warns about it", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const home = join(temp.path, "home-with-dotenv");
    mkdirSync(join(temp.path, "runs-dotenv"));
    const root = ["--root", join(temp.path, "runs-dotenv"), "--codex-home", home];
    const codex = codexIn(temp.path, "exit 1");
    const run = () =>
      runCli(["run", ...root, "--proxy-url", pool.url, "--codex-bin", codex, "exec", "hi"], {
        cwd: temp.path,
      });
    expect((await run()).err).toEndWith("before it sent a request, for a reason that its own output names\n");
    writeFileSync(
      join(home, ".env"),
      "# mine\nexport HTTP_PROXY=http://me:secret@proxy\nNO_PROXY = foo\nOTHER=1\n",
    );
    const warning = `${join(home, ".env")} sets HTTP_PROXY, NO_PROXY; in Codex this file overrides the environment set by codexlb`;
    expect((await run()).err).toEndWith(`received no request from this run: ${warning}\n`);
    const { out } = await runCli(["doctor", ...root, "--codex-bin", "/nowhere/codex"], { cwd: temp.path });
    expect(out).toContain(warning);
    expect(out).not.toContain("secret");
    expect(out).toContain(
      "move HTTP_PROXY and NO_PROXY to the environment in which you start Codex, or add 127.0.0.1 and localhost to NO_PROXY in that file",
    );
    // Follow the advice in the warning.
    writeFileSync(join(home, ".env"), "HTTP_PROXY=http://proxy\nNO_PROXY=foo,127.0.0.1,localhost\n");
    expect((await run()).err).toEndWith("before it sent a request, for a reason that its own output names\n");
    const again = await runCli(["doctor", ...root, "--codex-bin", "/nowhere/codex"], { cwd: temp.path });
    expect(again.out).not.toContain("proxy variables");
  });

  test("has doctor warn about the NO_PROXY in .env only if it lacks hosts of the proxy in use", async () => {
    const home = join(temp.path, "home-for-doctor");
    mkdirSync(home);
    writeFileSync(join(home, ".env"), "NO_PROXY=127.0.0.1,localhost\n");
    const doctor = async (url: string) => {
      const args = ["doctor", "--codex-home", home, "--proxy-url", url, "--codex-bin", "/nowhere/codex"];
      return (await runCli(args, { cwd: temp.path, env: { HTTP_PROXY: DEAD } })).out;
    };
    expect(await doctor("http://127.0.0.1:1")).not.toContain("proxy variables");
    expect(await doctor("http://build.lan:1")).toContain(
      "or add build.lan and build.lan. to NO_PROXY in that file",
    );
  });
});

describe("child proxies", () => {
  test("on private addresses are reached directly, by requests, sockets and admin calls", async () => {
    const child = await chain.start({ name: "child", accounts: ["alice"] });
    const key = await chain.run(["key", "add", "--root", child.layout.root, "--role", "parent", "front"]);
    const front = await chain.start({
      name: "front",
      children: [child.url.replace("://", `://:${key.out.trim()}@`)],
      env: { HTTP_PROXY: DEAD, ALL_PROXY: DEAD },
    });
    await untilChild(front, "child");
    expect(await turns(front.url)).toEqual(HELLO);
    const at = ["--proxy-url", front.url, "--admin-token", front.adminToken, "--proxy-name", "child"];
    const account = (...args: string[]) => chain.run(["account", ...args], { HTTP_PROXY: DEAD });
    expect(await account("set", ...at, "alice", "--outbound-proxy", "http://me:word@p.corp:1")).toEqual({
      code: 0,
      out: "account alice uses the outbound proxy http://[redacted]@p.corp:1\n",
      err: "",
    });
    expect((await account("show", ...at, "alice")).out).toContain(
      "outbound proxy  http://[redacted]@p.corp:1",
    );
  });

  test("with public names are reached through the proxy of the environment", async () => {
    const child = await chain.start({
      name: "far",
      accounts: ["alice"],
      proxy: 'allowed_hosts = ["child.test"]',
    });
    site = child.url;
    await using proxy = await network.proxy();
    const front = await chain.start({
      name: "near",
      children: ["http://child.test"],
      env: { HTTP_PROXY: proxy.url },
    });
    await untilChild(front, "far");
    expect(await turns(front.url)).toEqual(HELLO);
    const requests = proxy.passed.map(({ request }) => request);
    expect(requests).toContain("GET http://child.test/status");
    expect(requests).toContain("CONNECT child.test:80");
  });
});

test("errors of turns and children name an outbound proxy that refuses the user, also on plain http", async () => {
  site = chain.mock.origin;
  await using proxy = await network.proxy("me:word");
  const node = await chain.start({
    name: "plain",
    accounts: ["alice"],
    upstream: "http://backend.test/backend-api",
    children: ["http://child.test"],
    env: { HTTP_PROXY: proxy.url },
  });
  const refusal = `the outbound proxy ${proxy.host} refused the connection: 407 Proxy Authentication Required`;
  for (const said of await turns(node.url)) expect(said).toContain(refusal);
  const [child] = (await node.status()).child_proxies;
  expect(child?.last_error).toContain(`unreachable: ${refusal}`);
});

test("an account's own outbound proxy is used although NO_PROXY names the backend", async () => {
  site = chain.mock.origin;
  await using own = await network.proxy();
  const node = await chain.start({
    name: "exempt",
    accounts: ["alice"],
    upstream: UPSTREAM,
    env: { NO_PROXY: "backend.test", CODEX_CA_CERTIFICATE: network.ca },
  });
  for (const said of await turns(node.url)) expect(said).toContain("could not be reached");
  const set = await chain.run([
    ...[
      "account",
      "set",
      "--root",
      node.layout.root,
      "alice",
      "--outbound-proxy",
      `http://me:word@${own.host}`,
    ],
  ]);
  expect(set).toEqual({
    code: 0,
    out: `account alice uses the outbound proxy http://[redacted]@${own.host}\n`,
    err: "",
  });
  expect(await turns(node.url)).toEqual(HELLO);
  const shown = await chain.run(["account", "show", "--root", node.layout.root, "alice"]);
  expect(shown.out).toContain(`outbound proxy  http://[redacted]@${own.host}`);
  const cleared = await chain.run([
    ...["account", "set", "--root", node.layout.root, "--outbound-proxy", "none", "alice"],
  ]);
  expect(cleared).toMatchObject({ code: 0, out: "account alice uses the configured outbound proxy\n" });
  for (const said of await turns(node.url)) expect(said).toContain("could not be reached");
});

describe("account set", () => {
  test("works without a running proxy, and reports invalid arguments", async () => {
    const at = ["--root", join(temp.path, "alone")];
    const login = join(temp.path, "login");
    mkdirSync(login);
    writeFileSync(join(login, "auth.json"), chain.mock.authFile("alice"));
    const run = (...args: string[]) => chain.run(["account", ...args]);
    expect((await run("import", ...at, "--from", login, "alice")).code).toBe(0);
    expect((await run("set", ...at, "alice", "--outbound-proxy=http://proxy.corp:3128")).code).toBe(0);
    expect((await run("show", ...at, "alice")).out).toContain("outbound proxy  http://proxy.corp:3128");
    const empty = await run("set", ...at, "alice", "--outbound-proxy", "");
    expect(empty).toEqual({
      code: 2,
      out: "",
      err: `codexlb: account set: --outbound-proxy is empty\n  to clear the account's proxy: codexlb account set ${at.join(" ")} alice --outbound-proxy none\n`,
    });
    expect((await run("show", ...at, "alice")).out).toContain("outbound proxy  http://proxy.corp:3128");
    expect((await run("set", ...at, "alice", "--outbound-proxy", "none")).code).toBe(0);
    expect((await run("show", ...at, "alice")).out).not.toContain("outbound proxy");
    const wrong = await run("set", ...at, "alice", "--outbound-proxy", "socks5://me:secret@x:1");
    expect(wrong).toMatchObject({ code: 2, out: "" });
    expect(wrong.err).toContain('"socks5://[redacted]@x:1" is a SOCKS proxy');
    expect((await run("set", ...at, "alice", "--outbound-proxy", "proxy.corp:3128")).err).toContain(
      '"proxy.corp:3128" is not the URL of an HTTP proxy; write it as http://proxy.corp:3128\n',
    );
    expect((await run("set", ...at, "alice")).err).toContain("account set: nothing to set");
    expect((await run("set", ...at)).err).toContain("account set takes one alias");
    expect((await run("set", ...at, "carol", "--outbound-proxy", "none")).err).toContain(
      "account not found: carol",
    );
  });
});

describe("certificates of a company's authority", () => {
  test.each(["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE"])(
    "are trusted on both transports if %s names them",
    async (name) => {
      site = chain.mock.origin;
      await using proxy = await network.proxy();
      const node = await chain.start({
        name: `trusts ${name}`,
        accounts: ["alice"],
        upstream: UPSTREAM,
        env: { HTTPS_PROXY: proxy.url, [name]: network.ca },
      });
      expect(await turns(node.url)).toEqual(HELLO);
    },
  );

  test("are not trusted if no variable names them, and doctor says which one to set", async () => {
    site = chain.mock.origin;
    await using proxy = await network.proxy();
    const env = { HTTPS_PROXY: proxy.url };
    const node = await chain.start({ name: "trusts nothing", accounts: ["alice"], upstream: UPSTREAM, env });
    for (const said of await turns(node.url))
      expect(said).toContain("certificate of backend.test is not trusted");
    const { out } = await chain.run(
      ["doctor", "--root", node.layout.root, "--codex-bin", "/nowhere/codex"],
      env,
    );
    expect(out).toContain("the certificate of backend.test is not trusted");
  });
});
