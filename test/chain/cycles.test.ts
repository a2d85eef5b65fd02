// Tests proxies that lead back to each other: requests end, errors name the circle, and the accounts still serve.

import { describe, expect, test } from "bun:test";
import { HOPS_HEADER } from "../../src/core/hops.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { type Chain, type ChainNode, startChain, untilAccounts, untilChild } from "../support/chain.ts";

async function pair(chain: Chain, a: readonly string[], b: readonly string[]): Promise<ChainNode[]> {
  const one = await chain.start({ name: "one", accounts: a });
  const two = await chain.start({ name: "two", accounts: b, children: [one.url] });
  one.configure([two.url]);
  await untilChild(one, "two", ({ reachable }) => reachable);
  await untilChild(two, "one", ({ reachable }) => reachable);
  return [one, two];
}

const post = (url: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "demo", stream: true, store: false, input: [] }),
  });

describe("two proxies in front of each other", () => {
  test("serve with their own accounts, count each account once, and request each other's status at a limited rate", async () => {
    await using chain = startChain([{ alias: "alice" }, { alias: "bob" }]);
    const [one, two] = await pair(chain, ["alice"], ["bob"]);
    if (one === undefined || two === undefined) throw new Error("two were started");
    await untilAccounts(one, ["alice", "bob"]);
    await untilAccounts(two, ["alice", "bob"]);
    for (const node of [one, two]) expect(await createSseClient(node.url, "s").turn("x")).toContain("Hello");
    // A proxy that is asked for fresh figures asks the other one, which does not ask back.
    const refreshed = await fetch(`${one.url}/status?refresh=1`);
    expect(refreshed.status).toBe(200);
    const { child_proxies } = (await one.status()) as { child_proxies: { cycle?: string }[] };
    expect(child_proxies[0]?.cycle).toBe("one -> two -> one");
    const doctor = await chain.run(["doctor"], { CODEXLB_ROOT: one.layout.root });
    expect(doctor.out).toContain("lead back here: one -> two -> one");
  });

  test("and without accounts immediately return an error that names the circle", async () => {
    await using chain = startChain([]);
    const [one] = await pair(chain, [], []);
    const answer = await post(one?.url ?? "");
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("one -> two -> one");
  });

  test("a request that comes back is refused with 508 and the circle", async () => {
    await using chain = startChain([{ alias: "alice" }]);
    const [one] = await pair(chain, ["alice"], []);
    const { proxy_id } = (await one?.status()) ?? {};
    const answer = await post(one?.url ?? "", { [HOPS_HEADER]: `one~${proxy_id}, two~abc` });
    expect(answer.status).toBe(508);
    expect(await answer.json()).toMatchObject({
      error: { code: "loop_detected", message: expect.stringContaining("one -> two -> one") },
    });
  });

  test("a request is not sent back to the child that it came from", async () => {
    await using chain = startChain([]);
    const [one, two] = await pair(chain, [], []);
    const { proxy_id } = (await one?.status()) ?? {};
    const answer = await post(two?.url ?? "", { [HOPS_HEADER]: `one~${proxy_id}` });
    expect(answer.status).toBe(503);
  });
});

test("a proxy that is its own child reports that and serves", async () => {
  await using chain = startChain([{ alias: "alice" }]);
  const node = await chain.start({ name: "self", accounts: ["alice"] });
  node.configure([node.url]);
  const host = new URL(node.url).host;
  await untilChild(node, host, ({ last_error }) => last_error?.includes("self -> self") === true);
  expect(node.said()).toContain("it is this proxy itself: self -> self; remove it from");
  expect(await createSseClient(node.url, "s").turn("x")).toContain("alice");
  expect((await node.status()).accounts.length).toBe(1);
});

test("requests in a circle of three end too", async () => {
  await using chain = startChain([{ alias: "alice" }]);
  const a = await chain.start({ name: "a", accounts: ["alice"] });
  const c = await chain.start({ name: "c", children: [a.url] });
  const b = await chain.start({ name: "b", children: [c.url] });
  a.configure([b.url]);
  await untilChild(a, "b", ({ reachable }) => reachable);
  for (const node of [a, b, c]) {
    await untilAccounts(node, ["alice"]);
    expect(await createSseClient(node.url, "s").turn("x")).toContain("alice");
  }
});
