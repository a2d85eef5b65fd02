// Tests connections from a company's network: the backend is behind an HTTP proxy and has a certificate of the
// company's own authority. Only the proxy can resolve the host names, so no request can bypass it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { systemDeps } from "../../src/deps.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { openStore } from "../../src/state/store.ts";
import { type CorporateNetwork, corporateNetwork, type OutboundProxy } from "../support/corporate-network.ts";
import { startPool, type TestPool, type TestPoolOptions, until } from "../support/pool.ts";

const DEAD = "http://127.0.0.1:1";
const SECRET = "pass%3Aword";
const CREDENTIALS = "me:pass:word";

let origin = "";
let network: CorporateNetwork;
beforeAll(async () => {
  network = await corporateNetwork(["backend.test", "auth.test", "child.test"], () => origin);
});
afterAll(() => network[Symbol.asyncDispose]());

/** A pool whose backend and token endpoint are in the network. `env` is added to the authority's certificate. */
function pool(env: Record<string, string>, more: Partial<TestPoolOptions> = {}): Promise<TestPool> {
  return startPool({
    accounts: [{ alias: "alice" }],
    upstream: "https://backend.test/backend-api",
    env: () => ({
      CODEX_CA_CERTIFICATE: network.ca,
      CODEXLB_TOKEN_URL: "https://auth.test/oauth/token",
      ...env,
    }),
    prepare: (_layout, mock) => {
      origin = mock.origin;
    },
    ...more,
  });
}

/** The result of a turn on both transports: a response, or the text of the error. */
async function turns(url: string): Promise<string[]> {
  const session = crypto.randomUUID();
  const sse = createSseClient(url, session);
  const socket = createSocketClient(url, session);
  const asked = [sse.turn("hi"), socket.turn("hi")].map((turn) => turn.catch((error) => String(error)));
  const said = await Promise.all(asked);
  sse.close();
  socket.close();
  return said;
}

const HELLO = ["Hello from alice", "Hello from alice"];
const requestsOf = ({ passed }: OutboundProxy) => [...new Set(passed.map(({ request }) => request))].sort();
const BOTH = ["CONNECT auth.test:443", "CONNECT backend.test:443"];
const configWith = (setting: string) =>
  `[proxy]\noutbound_proxy = ${JSON.stringify(setting)}\n[policy]\nmode = "sticky"\n`;

describe("the proxy of the environment", () => {
  test.each(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])(
    "%s carries turns on both transports, renewals and usage requests",
    async (name) => {
      await using proxy = await network.proxy();
      await using s = await pool(
        { [name]: proxy.url },
        { accounts: [{ alias: "alice", expiresInSeconds: -1 }] },
      );
      expect(await turns(s.url)).toEqual(HELLO);
      await until("figures are known", async () => {
        const { accounts } = await s.status();
        return accounts.every(({ daily_left_pct }) => daily_left_pct >= 0);
      });
      expect(requestsOf(proxy)).toEqual(BOTH);
      expect(s.mock.requests.map(({ point }) => point)).toEqual(
        expect.arrayContaining(["token", "usage", "sse", "message"]),
      );
    },
  );

  test("gets the user and password of its URL on both transports", async () => {
    await using proxy = await network.proxy(CREDENTIALS);
    await using s = await pool({ HTTPS_PROXY: `http://me:${SECRET}@${proxy.host}` });
    expect(await turns(s.url)).toEqual(HELLO);
    expect(new Set(proxy.passed.map(({ credentials }) => credentials))).toEqual(new Set([CREDENTIALS]));
  });

  test("is named with the remedy if it refuses the user", async () => {
    await using proxy = await network.proxy(CREDENTIALS);
    await using s = await pool({ HTTPS_PROXY: `http://me:other@${proxy.host}` });
    for (const said of await turns(s.url)) {
      expect(said).toContain(
        `the outbound proxy ${proxy.host} refused the connection: 407 Proxy Authentication Required (put the user and password into the proxy's URL)`,
      );
      expect(said).not.toContain("other");
    }
  });

  test("causes an error if it cannot be reached, never a direct connection", async () => {
    await using far = await pool({ HTTPS_PROXY: DEAD });
    for (const said of await turns(far.url))
      expect(said).toContain(
        "the backend could not be reached: through the outbound proxy 127.0.0.1:1: connection refused",
      );
  });

  test.each(["socks5://127.0.0.1:1080", "socks5h://me:secret@127.0.0.1:1080"])(
    "%s is refused at the start",
    async (url) => {
      const started = pool({ ALL_PROXY: url });
      const error = await started.then(
        () => "started",
        (thrown) => `${thrown.message}; ${thrown.next}`,
      );
      expect(error).toContain("ALL_PROXY: ");
      expect(error).toContain("is a SOCKS proxy; only http:// and https:// proxies are supported");
      expect(error).toContain("set proxy.outbound_proxy in config.toml");
      expect(error).not.toContain("secret");
    },
  );
});

describe("proxy.outbound_proxy", () => {
  test("overrides the environment, and a change applies without a restart", async () => {
    await using first = await network.proxy(CREDENTIALS);
    await using second = await network.proxy();
    const setting = `http://me:${SECRET}@${first.host}`;
    await using s = await pool(
      { HTTPS_PROXY: DEAD, ALL_PROXY: "socks5://127.0.0.1:1" },
      { config: configWith(setting) },
    );
    expect(await turns(s.url)).toEqual(HELLO);
    expect(first.passed.length).toBeGreaterThan(0);
    const settings = async () =>
      (await fetch("http://localhost/admin/config", { unix: s.layout.adminSocket })).text();
    const shown = await settings();
    expect(shown).toContain(`http://[redacted]@${first.host}`);
    expect(shown).not.toContain("word");
    for (const [next, shows] of [
      [second.url, second.host],
      ["none", '"none"'],
    ] as const) {
      writeFileSync(s.layout.config, configWith(next));
      s.daemon.reload();
      await until("the change holds", async () => (await settings()).includes(shows));
      const said = await turns(s.url);
      // Only a proxy can resolve the host.
      if (next === "none") expect(said.join()).toMatch(/could not be reached.*could not be reached/s);
      else expect(said).toEqual(HELLO);
    }
    expect(second.passed.length).toBeGreaterThan(0);
    expect(JSON.stringify(await s.stopAndReadEvents())).not.toContain("word");
  });

  test.each([
    ["socks5://me:secret@x:1", "is a SOCKS proxy"],
    ["proxy.corp:3128", "is not the URL of an HTTP proxy"],
    ["http://proxy.corp/path", "is not the URL of an HTTP proxy"],
    ["ftp://me:secret@proxy.corp", "is not the URL of an HTTP proxy"],
  ])("refuses %s without showing its password", async (setting, why) => {
    const error = await pool({}, { config: configWith(setting) }).then(
      () => "started",
      (thrown) => thrown.message,
    );
    expect(error).toContain(why);
    expect(error).not.toContain("secret");
  });
});

describe("an account's own outbound proxy", () => {
  const TWO = [{ alias: "alice" }, { alias: "bob", expiresInSeconds: -1 }];

  test("carries its turns, renewals and usage requests", async () => {
    await using own = await network.proxy(CREDENTIALS);
    const url = `http://me:${SECRET}@${own.host}`;
    await using s = await pool({ HTTPS_PROXY: DEAD }, { accounts: TWO });
    expect((await s.accounts.set("bob", { outboundProxy: url })).alias).toBe("bob");
    await s.accounts.pin("bob");
    expect(await turns(s.url)).toEqual(["Hello from bob", "Hello from bob"]);
    await fetch(`${s.url}/status?refresh=1`);
    expect(requestsOf(own)).toEqual(BOTH);
    const served = s.mock.requests.map(({ point, account }) => [point, account]);
    for (const point of ["sse", "message", "usage"]) expect(served).toContainEqual([point, "bob"]);
    // No request of the other account used this proxy.
    expect(served.filter(([, account]) => account === "alice")).toEqual([]);
    const details = await s.accounts.show("bob");
    expect(details.outbound_proxy).toBe(`http://[redacted]@${own.host}`);
    expect(JSON.stringify([details, await s.accounts.list()])).not.toContain("word");
    expect(readFileSync(s.layout.store, "utf8")).toContain(url);
    await s.accounts.set("bob", { outboundProxy: null });
    const { length } = own.passed;
    for (const said of await turns(s.url)) expect(said).toContain("could not be reached");
    expect(own.passed.length).toBe(length);
    expect((await s.accounts.show("bob")).outbound_proxy).toBeUndefined();
    const events = JSON.stringify(await s.stopAndReadEvents());
    expect(events).toContain('"event":"account.changed"');
    expect(events).not.toContain("word");
  });

  test("is used by the next turn of a session whose WebSocket is open", async () => {
    await using shared = await network.proxy();
    await using own = await network.proxy();
    await using s = await pool({ HTTPS_PROXY: shared.url });
    const client = createSocketClient(s.url, "session");
    expect(await client.turn("one")).toBe("Hello from alice");
    await s.accounts.set("alice", { outboundProxy: own.url });
    const before = shared.passed.length;
    expect(await client.turn("two")).toBe("Hello from alice");
    expect(await client.turn("three")).toBe("Hello from alice");
    expect([shared.passed.length, requestsOf(own)]).toEqual([before, ["CONNECT backend.test:443"]]);
    client.close();
    expect((await s.status()).accounts).toMatchObject([{ healthy: true }]);
  });

  test("survives a restart", async () => {
    await using own = await network.proxy();
    await using s = await pool({ HTTPS_PROXY: DEAD }, { accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await s.accounts.set("bob", { outboundProxy: own.url });
    await s.stopAndReadEvents();
    const store = openStore(s.layout.store, () => "", systemDeps(), { readOnly: true });
    expect(store.state.accounts.map(({ alias, outboundProxy }) => [alias, outboundProxy])).toEqual([
      ["alice", undefined],
      ["bob", own.url],
    ]);
  });

  test("is refused if it is unusable, and nothing changes", async () => {
    await using s = await pool({});
    const error = await s.accounts.set("alice", { outboundProxy: "socks5://me:secret@x:1" }).catch(String);
    expect(error).toContain("is a SOCKS proxy");
    expect(error).not.toContain("secret");
    expect((await s.accounts.show("alice")).outbound_proxy).toBeUndefined();
  });
});

describe("a certificate of an unknown authority", () => {
  test("causes an error with the host and the variable to set, on both transports", async () => {
    await using proxy = await network.proxy();
    await using s = await pool({ HTTPS_PROXY: proxy.url, CODEX_CA_CERTIFICATE: "" });
    for (const said of await turns(s.url)) {
      expect(said).toContain("the certificate of backend.test is not trusted");
      expect(said).toContain("SSL_CERT_FILE or CODEX_CA_CERTIFICATE");
    }
  });

  test.each([
    ["/nowhere/ca.pem", "reading CODEX_CA_CERTIFICATE=/nowhere/ca.pem: "],
    [import.meta.path, "the file contains no certificate"],
  ])("CODEX_CA_CERTIFICATE=%s stops the start", async (path, why) => {
    const error = await pool({ CODEX_CA_CERTIFICATE: path }).then(
      () => "started",
      (thrown) => thrown.message,
    );
    expect(error).toContain(why);
  });
});
