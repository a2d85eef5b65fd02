// Tests children that are exhausted, die and return, are slow, or refuse: no client notices while another upstream can
// serve.

import { describe, expect, test } from "bun:test";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { takeTurn } from "../faults/codex-like.ts";
import { startChain, untilAccounts, untilChild } from "../support/chain.ts";
import { until } from "../support/pool.ts";

const servedBy = (text: string) => /from (\w+)/.exec(text)?.[1];

describe("a limit below one child", () => {
  test.each([
    ["SSE", createSseClient],
    ["WebSocket", createSocketClient],
  ] as const)("over %s is answered by another child", async (_name, create) => {
    await using chain = startChain([{ alias: "alice", turns: 2 }, { alias: "bob" }]);
    const left = await chain.start({ name: "left", accounts: ["alice"] });
    const middle = await chain.start({ name: "middle", children: [left.url] });
    const right = await chain.start({ name: "right", accounts: ["bob"] });
    const front = await chain.start({ name: "front", children: [middle.url, right.url] });
    await untilAccounts(front, ["alice", "bob"]);
    const client = create(front.url, "s");
    const served: (string | undefined)[] = [];
    for (let turn = 0; turn < 4; turn++) served.push(servedBy(await client.turn("next")));
    client.close();
    expect(served).toEqual(["alice", "alice", "bob", "bob"]);
  });

  test("on one model stops only the turns of that model at the child", async () => {
    const spark = { model: "gpt-spark", feature: "codex_bengalfox" };
    await using chain = startChain([
      { alias: "alice", meters: [{ ...spark, turns: 1 }] },
      { alias: "bob", meters: [{ ...spark, turns: 9 }] },
    ]);
    const left = await chain.start({ name: "left", accounts: ["alice"] });
    const right = await chain.start({ name: "right", accounts: ["bob"] });
    const front = await chain.start({ name: "front", children: [left.url, right.url] });
    await untilAccounts(front, ["alice", "bob"]);
    const turn = async (session: string, model?: string) =>
      servedBy(await createSseClient(front.url, session).turn("next", model));
    expect([await turn("a", spark.model), await turn("b", spark.model)]).toEqual(["alice", "bob"]);
    expect(await turn("c", spark.model)).toBe("bob");
    // The front knows about the refusal but still sends ordinary turns there.
    const { child_proxies } = await front.status();
    expect(child_proxies.map(({ healthy }) => healthy)).toEqual([true, true]);
    const { accounts } = await front.status();
    expect(accounts.map(({ healthy }) => healthy)).toEqual([true, true]);
  });

  test("of all accounts is returned with the earliest reset of the tree", async () => {
    await using chain = startChain([
      { alias: "alice", turns: 1 },
      { alias: "bob", turns: 1 },
    ]);
    const left = await chain.start({ name: "left", accounts: ["alice"] });
    const middle = await chain.start({ name: "middle", accounts: ["bob"], children: [left.url] });
    const front = await chain.start({ name: "front", children: [middle.url] });
    await untilAccounts(front, ["alice", "bob"]);
    const client = createSseClient(front.url, "s");
    await client.turn("one");
    await client.turn("two");
    const seen = await takeTurn(
      { url: front.url, session: "t", waited: () => {}, hadOutput: () => {} },
      "websocket",
    );
    expect(seen.servedBy).toBeUndefined();
    expect(seen.shown).toEqual(["You've hit your usage limit"]);
    const usage = await fetch(`${front.url}/backend-api/wham/usage`);
    expect(await usage.json()).toMatchObject({ rate_limit: { limit_reached: true, allowed: false } });
  });
});

describe("a child under load", () => {
  test("dies and returns, and no client gets an error", async () => {
    await using chain = startChain([
      { alias: "alice", turns: 100_000 },
      { alias: "bob", turns: 100_000 },
    ]);
    const more = '[policy]\nmode = "round_robin"\naffinity = false\n';
    const left = await chain.start({ name: "left", accounts: ["alice"] });
    const right = await chain.start({ name: "right", accounts: ["bob"] });
    const front = await chain.start({ name: "front", children: [left.url, right.url], more });
    await untilAccounts(front, ["alice", "bob"]);
    let stop = false;
    const counts = { alice: 0, bob: 0 };
    const bad: unknown[] = [];
    const work = async (worker: number): Promise<void> => {
      for (let turn = 0; !stop; turn++) {
        const session = `${worker}-${turn}`;
        const how = { url: front.url, session, waited: () => {}, hadOutput: () => {} };
        const seen = await takeTurn(how, worker % 2 === 0 ? "sse" : "websocket");
        if (seen.shown.length > 0 || (seen.servedBy !== "alice" && seen.servedBy !== "bob")) bad.push(seen);
        else counts[seen.servedBy]++;
      }
    };
    const workers = [0, 1, 2, 3, 4, 5].map(work);
    await until("both serve", () => counts.alice > 20 && counts.bob > 20, 30_000);
    await left.kill();
    const { bob } = counts;
    await until("the other one serves alone", () => counts.bob > bob + 50, 30_000);
    const port = Number(new URL(left.url).port);
    const again = await chain.start({ name: "left", accounts: ["alice"], port });
    const { alice } = counts;
    await until("it serves again", () => counts.alice > alice + 20, 60_000);
    stop = true;
    await Promise.all(workers);
    expect(again.url).toBe(left.url);
    expect(bad).toEqual([]);
  });
});

/** Answers everything after `delayMs`, or (undefined) never. */
function slowProxy(): { readonly url: string; readonly asked: string[]; stop(): void } {
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: (request) => {
      asked.push(new URL(request.url).pathname);
      return new Promise<Response>(() => {});
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, asked, stop: () => void server.stop(true) };
}

describe("a child that does not answer", () => {
  test("delays no client: requests go to other upstreams, and status does not wait", async () => {
    const slow = slowProxy();
    await using chain = startChain([{ alias: "alice" }]);
    const child = await chain.start({ name: "child", accounts: ["alice"] });
    const front = await chain.start({ name: "front", children: [slow.url, child.url] });
    await untilChild(front, "child");
    for (const create of [createSseClient, createSocketClient]) {
      const client = create(front.url, "s");
      expect(servedBy(await client.turn("one"))).toBe("alice");
      client.close();
    }
    await untilChild(front, new URL(slow.url).host, ({ last_error }) => last_error !== undefined);
    const status = await front.status();
    const seen = status.child_proxies.find(({ url }) => url === slow.url);
    expect(seen).toMatchObject({ reachable: false, healthy: false });
    // It got only status requests, and not one per client request.
    expect(new Set(slow.asked)).toEqual(new Set(["/status"]));
    expect(slow.asked.length).toBeLessThan(5);
    slow.stop();
  });
});

describe("a child that freezes", () => {
  test.each(["sse", "websocket"] as const)(
    "loses what waits for it, over %s, and no other session is sent there",
    async (transport) => {
      await using chain = startChain([{ alias: "alice" }, { alias: "bob" }]);
      const left = await chain.start({ name: "left", accounts: ["alice"] });
      const right = await chain.start({ name: "right", accounts: ["bob"] });
      const front = await chain.start({ name: "front", children: [left.url, right.url] });
      await untilAccounts(front, ["alice", "bob"]);
      process.kill(left.pid, "SIGSTOP");
      const turn = (session: string) =>
        takeTurn({ url: front.url, session, waited: () => {}, hadOutput: () => {} }, transport);
      // These requests are sent before the front can know; the head timeout is two minutes.
      const caught = await Promise.all(["a", "b", "c"].map(turn));
      for (const seen of caught) expect(seen).toMatchObject({ servedBy: "bob", shown: [] });
      expect(await turn("d")).toMatchObject({ servedBy: "bob", shown: [], tries: 1 });
      await right.kill();
      // No upstream is left: the error comes within seconds, and names the upstreams.
      const answer = await fetch(`${front.url}/backend-api/codex/responses`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "m", stream: true, store: false, input: [] }),
      });
      expect(answer.status).toBe(502);
      expect(await answer.text()).toMatch(/the proxy (?:left|right) could not be reached/);
      process.kill(left.pid, "SIGCONT");
      await untilChild(front, "left");
      expect(await turn("e")).toMatchObject({ servedBy: "alice", shown: [] });
    },
  );
});

describe("a child URL that does not lead to another proxy", () => {
  test("causes one line that explains the problem", async () => {
    await using chain = startChain([{ alias: "alice" }]);
    const page = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("<!DOCTYPE HTML>\n<html>", { status: 404 }),
    });
    const child = await chain.start({ name: "child", accounts: ["alice"] });
    const other = child.url.replace("127.0.0.1", "localhost");
    const front = await chain.start({
      name: "front",
      children: [`http://127.0.0.1:${page.port}`, child.url, other, child.url.replace("http", "https")],
    });
    const seen = (url: string) =>
      untilChild(front, new URL(url).host, ({ last_error }) => last_error !== undefined);
    await seen(`http://127.0.0.1:${page.port}`);
    await untilChild(front, "child", ({ url, last_error }) => url === other && last_error !== undefined);
    const errors = (await front.status()).child_proxies.map(({ last_error, next }) => [last_error, next]);
    expect(errors).toEqual([
      ["GET /status returned 404: it is not a codexlb proxy", "check the address in proxy.child_proxy_urls"],
      [undefined, undefined],
      [`it is the same proxy as ${child.url}`, "remove one of them from proxy.child_proxy_urls"],
      ["unreachable: TLS handshake failed; should the URL start with http://?", undefined],
    ]);
    const status = await chain.run(["status", "--proxy-url", front.url]);
    expect(status.out).toContain(" misconfigured ");
    expect(status.out).not.toContain("DOCTYPE");
    await page.stop(true);
    front.configure([`${child.url}?key=x`]);
    await until("the settings are refused", () =>
      front.said().includes("must not have a query or a fragment"),
    );
  });
});

describe("a child that requires a key", () => {
  test("makes status and doctor report the settings until the key is correct", async () => {
    await using chain = startChain([{ alias: "alice" }, { alias: "bob" }]);
    const child = await chain.start({ name: "locked", accounts: ["alice"], proxy: "client_auth = true" });
    const front = await chain.start({ name: "front", accounts: ["bob"], children: [child.url] });
    const host = new URL(child.url).host;
    await untilChild(front, host, ({ last_error }) => last_error?.includes("requires a key") === true);
    expect(front.said()).toContain(
      "it requires a key (401); create a key there with: codexlb key add --role parent NAME",
    );
    const env = { CODEXLB_ROOT: front.layout.root };
    const doctor = await chain.run(["doctor"], env);
    expect(doctor.out).toContain(`child proxy ${host}: bad (${child.url}: it requires a key (401))`);
    expect(doctor.out).toContain("codexlb key add --role parent NAME");

    const key = (
      await chain.run(["key", "add", "--role", "parent", "front"], { CODEXLB_ROOT: child.layout.root })
    ).out.match(/clb_\S+/)?.[0];
    const withKey = (secret: string) => child.url.replace("://", `://:${secret}@`);
    front.configure([withKey("wrong")]);
    await untilChild(front, host, ({ last_error }) => last_error?.includes("refused the key") === true);
    front.configure([withKey(key ?? "")]);
    await untilAccounts(front, ["alice", "bob"]);
    const status = JSON.stringify(await front.status());
    expect(status).not.toContain(key ?? "none");
    const shown = await chain.run(["config", "show"], env);
    expect(shown.out).not.toContain(key ?? "none");
    // The key allows the calls that a front needs, and no others.
    const pinned = await chain.run(["account", "pin", "alice"], env);
    expect(pinned).toMatchObject({ code: 0, out: "pinned account alice\n" });
    expect(pinned.err).toContain("pinned only on the proxy locked; proxies in front of it choose as before");
    const keys = await fetch(`${child.url}/admin/keys`, {
      headers: { authorization: `Bearer ${key}`, "x-codexlb-target-proxy-name": "locked" },
    });
    expect(keys.status).toBe(403);
  });
});
