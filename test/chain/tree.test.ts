// Tests three levels of proxies, each in a process of its own. The front has no accounts, and all requests go through
// it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { type Chain, type ChainNode, startChain, untilAccounts } from "../support/chain.ts";
import { until } from "../support/pool.ts";

let chain: Chain;
let front: ChainNode;
let middle: ChainNode;
let left: ChainNode;
let right: ChainNode;

beforeAll(async () => {
  chain = startChain([{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }]);
  left = await chain.start({ name: "left", accounts: ["alice"] });
  right = await chain.start({ name: "right", accounts: ["bob"] });
  middle = await chain.start({ name: "middle", accounts: ["carol"], children: [left.url, right.url] });
  front = await chain.start({ name: "front", children: [middle.url] });
  await untilAccounts(front, ["alice", "bob", "carol"]);
});
afterAll(() => chain[Symbol.asyncDispose]());

const turns = () => chain.mock.requests.filter(({ point }) => point === "turn" || point === "sse");

describe("through three proxies", () => {
  test.each([
    ["SSE", createSseClient],
    ["WebSocket", createSocketClient],
  ] as const)("a session over %s stays with its account", async (_name, create) => {
    const client = create(front.url, `tree ${_name}`);
    const answers = [await client.turn("one"), await client.turn("two"), await client.turn("three")];
    client.close();
    expect(new Set(answers.map((text) => /from (\w+)/.exec(text)?.[1])).size).toBe(1);
  });

  test("no header of the chain reaches the backend", async () => {
    const client = createSseClient(front.url, "headers");
    await client.turn("one");
    const { headers } = turns().at(-1) ?? { headers: {} as Record<string, string> };
    expect(Object.keys(headers).filter((name) => name.startsWith("x-codexlb"))).toEqual([]);
    expect(headers["session-id"]).toBe("headers");
  });

  test("a client's usage request causes no usage request to the backend", async () => {
    const asked = () => chain.mock.requests.filter(({ point }) => point === "usage").length;
    const before = asked();
    const client = createSseClient(front.url, "usage");
    for (let turn = 0; turn < 10; turn++) await client.turn("again");
    await (await fetch(`${front.url}/status`)).json();
    await (await fetch(`${front.url}/backend-api/wham/usage`)).json();
    expect(asked() - before).toBe(0);
  });

  test("the catalogue comes from the children, and the account check from the front", async () => {
    const models = await fetch(`${front.url}/backend-api/codex/models?client_version=0.169.0`);
    expect(models.status).toBe(200);
    expect(await models.json()).toEqual({ models: [] });
    const check = await fetch(`${front.url}/backend-api/wham/accounts/check`, {
      headers: { "chatgpt-account-id": "mine" },
    });
    expect(await check.json()).toMatchObject({ accounts: [{ id: "mine" }] });
  });

  test("the status has the whole tree, with the proxy of each account", async () => {
    const status = await front.status();
    const owners = status.accounts.map(({ alias, proxy_name, proxy_path }) => [
      alias,
      proxy_name,
      proxy_path.map(({ name }) => name).join("/"),
    ]);
    expect(owners.sort()).toEqual([
      ["alice", "left", "middle/left"],
      ["bob", "right", "middle/right"],
      ["carol", "middle", "middle"],
    ]);
    const [child, ...others] = status.child_proxies;
    expect(others).toEqual([]);
    expect(child).toMatchObject({ name: "middle", url: middle.url, healthy: true, reachable: true });
    expect(child?.child_proxies?.map(({ name }) => name)).toEqual(["left", "right"]);
    expect(status.selected_proxy_name).toBe("middle");
    expect(status.selected_proxy_url).toBe(middle.url);
    const { accounts } = await middle.status();
    const mean = accounts.reduce((sum, { score }) => sum + score, 0) / accounts.length;
    expect(child?.score).toBeCloseTo(mean, 1);
  });

  test("the status table shows the tree too", async () => {
    const wide = await chain.run(["status", "--proxy-url", front.url]);
    expect(wide.code).toBe(0);
    expect(wide.out).toMatch(/PROXY +ALIAS/);
    expect(wide.out).toMatch(/\nNAME +URL +STATUS +SCORE +SELECTED +REASON +ERROR\nmiddle /);
    expect(wide.out).toMatch(/\n {2}left +http\S+ +ready /);
    const narrow = await chain.run(["status", "--proxy-url", front.url], { COLUMNS: "80" });
    expect(narrow.out).toContain("child proxies:\n- middle  ready  score ");
    const short = await chain.run(["status", "--short", "--proxy-url", front.url]);
    expect(short.out).toMatch(/^lb=middle reason=\S+ mode=sticky\n$/);
    const list = await chain.run(["account", "list", "--tree", "--proxy-url", front.url]);
    expect(list.out.split("\n").map((line) => line.split("\t").at(-1))).toEqual([
      "left",
      "middle",
      "right",
      "",
    ]);
    const explained = await chain.run(["explain"], { CODEXLB_ROOT: front.layout.root });
    expect(explained.out).toContain("next turn of a new session: middle");
  });
});

test("an account that two proxies have is pooled once", async () => {
  await using twice = startChain([
    { alias: "alice", turns: 10 },
    { alias: "bob", turns: 10 },
  ]);
  const one = await twice.start({ name: "one", accounts: ["alice"] });
  const two = await twice.start({ name: "two", accounts: ["alice", "bob"] });
  const top = await twice.start({ name: "top", children: [one.url, two.url] });
  await untilAccounts(top, ["alice", "alice", "bob"]);
  const client = createSseClient(two.url, "s");
  // The first one in the list serves: alice then has 8 of 10 turns left, bob all.
  await client.turn("one");
  await client.turn("two");
  await until(
    "the newer figures of alice count, once",
    async () => {
      const usage = (await (await fetch(`${top.url}/backend-api/wham/usage`)).json()) as {
        rate_limit: { primary_window: { used_percent: number } };
      };
      return usage.rate_limit.primary_window.used_percent === 10;
    },
    30_000,
  );
});
