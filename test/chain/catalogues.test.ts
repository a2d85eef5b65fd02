// Tests the model catalogue in a chain: each proxy serves the union of its own accounts and of the proxies below it.

import { describe, expect, test } from "bun:test";
import { type ChainNode, startChain, untilAccounts } from "../support/chain.ts";
import { until } from "../support/pool.ts";

const VERSION = "0.171.0";
const modelsOf = (...slugs: readonly string[]) => ({ models: slugs.map((slug) => ({ slug })) });
const ACCOUNTS = [
  { alias: "alice", models: modelsOf("a", "common") },
  { alias: "bob", models: modelsOf("b", "common") },
  { alias: "carol", models: modelsOf("c", "common") },
];

async function catalogue({ url }: ChainNode) {
  const response = await fetch(`${url}/backend-api/codex/models?client_version=${VERSION}`);
  const body = (await response.json()) as ReturnType<typeof modelsOf>;
  return { etag: response.headers.get("etag"), slugs: body.models.map(({ slug }) => slug) };
}

async function turn({ url }: ChainNode) {
  const response = await fetch(`${url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { version: VERSION },
    body: '{"input":[]}',
  });
  const account = /from (\w+)/.exec(await response.text())?.[1];
  return { etag: response.headers.get("x-models-etag"), account };
}

const more = '[policy]\nmode = "round_robin"\naffinity = false\n';

describe("the catalogue of a proxy in front of two others", () => {
  test("has the models of all accounts, under one version, and follows a change two hops below", async () => {
    await using chain = startChain(ACCOUNTS);
    const left = await chain.start({ name: "left", accounts: ["carol"], more });
    const middle = await chain.start({ name: "middle", accounts: ["bob"], children: [left.url], more });
    const front = await chain.start({ name: "front", accounts: ["alice"], children: [middle.url], more });
    await untilAccounts(front, ["alice", "bob", "carol"]);
    const before = await catalogue(front);
    expect(before.slugs).toEqual(["a", "common", "b", "c"]);
    expect((await catalogue(middle)).slugs).toEqual(["b", "common", "c"]);
    const asked = () => chain.mock.requests.filter(({ point }) => point === "models").length;
    const served = new Set<string | undefined>();
    await until("every account has served", async () => {
      const { etag, account } = await turn(front);
      expect(etag).toBe(before.etag);
      return served.add(account).size === 3;
    });
    expect(asked()).toBe(3);

    chain.mock.accounts.byAlias("carol").models = modelsOf("c2");
    const versions = new Set<string | null>();
    await until(
      "the front names another version",
      async () => versions.add((await turn(front)).etag).size === 2,
    );
    const after = await catalogue(front);
    expect(after.slugs).toEqual(["a", "common", "b", "c2"]);
    for (let round = 0; round < 6; round++) versions.add((await turn(front)).etag);
    expect([...versions]).toEqual([before.etag, after.etag]);
    expect(asked()).toBe(4);
  });
});

test("two proxies in a circle serve the union of their accounts to clients, but only their own to each other", async () => {
  await using chain = startChain(ACCOUNTS);
  const left = await chain.start({ name: "left", accounts: ["alice"] });
  const right = await chain.start({ name: "right", accounts: ["bob"], children: [left.url] });
  left.configure([right.url]);
  await untilAccounts(left, ["alice", "bob"]);
  expect((await catalogue(left)).slugs).toEqual(["a", "common", "b"]);
  await until("right has left's as well", async () => (await catalogue(right)).slugs.length === 3);
  expect((await catalogue(right)).slugs).toEqual(["b", "common", "a"]);
  expect(chain.mock.requests.filter(({ point }) => point === "models").length).toBe(2);
});
