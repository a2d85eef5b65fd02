// Tests what several hops preserve: the timing of events, histories that only one account can read, the account of a
// session, waits, and the number of attempts, which is shared by the whole chain.

import { describe, expect, test } from "bun:test";
import { startChain, untilAccounts, untilChild } from "../support/chain.ts";
import { limitBody, until } from "../support/pool.ts";

const PATH = "/backend-api/codex/responses";
const HELLO = { type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] };

const post = (url: string, session: string, input: readonly unknown[] = [HELLO]) =>
  fetch(url + PATH, {
    method: "POST",
    headers: { "content-type": "application/json", "session-id": session },
    body: JSON.stringify({ model: "m", stream: true, store: false, input }),
  });

const servedBy = async (answer: Response) =>
  /Hello from (\w+)/.exec((await answer.text()).replaceAll(/",?"?delta":"/g, ""))?.[1];

describe("through several hops", () => {
  test("events arrive one by one, before the turn is over", async () => {
    await using chain = startChain([{ alias: "alice" }]);
    const leaf = await chain.start({ name: "leaf", accounts: ["alice"] });
    const middle = await chain.start({ name: "middle", children: [leaf.url] });
    const front = await chain.start({ name: "front", children: [middle.url] });
    await untilAccounts(front, ["alice"]);
    chain.mock.faults.add({ on: "turn", gateAfter: 3 });
    const reader = (await post(front.url, "s")).body?.getReader();
    let text = "";
    while (!text.includes("response.output")) text += new TextDecoder().decode((await reader?.read())?.value);
    expect(text).not.toContain("response.completed");
    chain.mock.faults.release();
    for (let chunk = await reader?.read(); chunk?.done === false; chunk = await reader?.read())
      text += new TextDecoder().decode(chunk.value);
    expect(text).toContain("response.completed");
  });

  test("a history that only one account can read stays with it, and is sent to each account if it is unknown", async () => {
    await using chain = startChain([{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }]);
    const more = '[policy]\nmode = "round_robin"\naffinity = false\n';
    const left = await chain.start({ name: "left", accounts: ["alice", "carol"], more });
    const middle = await chain.start({ name: "middle", children: [left.url], more });
    const right = await chain.start({ name: "right", accounts: ["bob"], more });
    const front = await chain.start({ name: "front", children: [right.url, middle.url], more });
    await untilAccounts(front, ["alice", "bob", "carol"]);
    const compacted = await (await post(front.url, "s", [HELLO, { type: "compaction_trigger" }])).text();
    const item = JSON.parse(/"item":(\{[^{}]*"compaction"[^{}]*\})/.exec(compacted)?.[1] ?? "{}");
    const owner = /mock-ciphertext:mock-(\w+)/.exec(item.encrypted_content)?.[1];
    for (let turn = 0; turn < 4; turn++)
      expect(await servedBy(await post(front.url, "s", [item, HELLO]))).toBe(owner);
    // An unknown session, with a history of each account.
    for (const alias of ["alice", "bob", "carol"]) {
      const foreign = { ...item, encrypted_content: `mock-ciphertext:mock-${alias}:x` };
      expect(await servedBy(await post(front.url, `new ${alias}`, [foreign, HELLO]))).toBe(alias);
    }
  });

  test("all proxies together make as many attempts as one", async () => {
    const aliases = ["a", "b", "c", "d", "e", "f"];
    await using chain = startChain(aliases.map((alias) => ({ alias })));
    const left = await chain.start({ name: "left", accounts: ["a", "b", "c"] });
    const right = await chain.start({ name: "right", accounts: ["d", "e", "f"] });
    const front = await chain.start({ name: "front", children: [left.url, right.url] });
    await untilAccounts(front, aliases);
    chain.mock.faults.add({ on: "turn", answer: { status: 500, body: { error: { message: "broken" } } } });
    const answer = await post(front.url, "s");
    expect(answer.status).toBe(500);
    expect(answer.headers.get("retry-after")).not.toBeNull();
    expect([...answer.headers.keys()].filter((name) => name.startsWith("x-codexlb"))).toEqual([]);
    const sends = chain.mock.requests.filter(({ path }) => path.endsWith("/responses"));
    expect(sends.length).toBe(3);
  });

  test("a limit has the earliest reset of the whole tree", async () => {
    await using chain = startChain([{ alias: "alice" }, { alias: "bob" }]);
    const left = await chain.start({ name: "left", accounts: ["alice"] });
    const middle = await chain.start({ name: "middle", accounts: ["bob"], children: [left.url] });
    const front = await chain.start({ name: "front", children: [middle.url] });
    await untilAccounts(front, ["alice", "bob"]);
    const nowS = Math.floor(Date.now() / 1000);
    for (const [account, resetS] of [
      ["alice", nowS + 7_200],
      ["bob", nowS + 3_600],
    ] as const)
      chain.mock.faults.add({
        on: "turn",
        account,
        answer: { status: 429, body: { error: limitBody(resetS) } },
      });
    const answer = await post(front.url, "s");
    expect(answer.status).toBe(429);
    expect(await answer.json()).toMatchObject({
      error: { type: "usage_limit_reached", resets_at: nowS + 3_600 },
    });
  });

  test("a session returns to its account after the child was unreachable", async () => {
    await using chain = startChain([{ alias: "alice" }, { alias: "bob" }]);
    const left = await chain.start({ name: "left", accounts: ["alice"] });
    const right = await chain.start({ name: "right", accounts: ["bob"] });
    const front = await chain.start({ name: "front", children: [left.url, right.url] });
    await untilAccounts(front, ["alice", "bob"]);
    expect(await servedBy(await post(front.url, "s"))).toBe("alice");
    await left.kill();
    expect(await servedBy(await post(front.url, "s"))).toBe("bob");
    await chain.start({ name: "left", accounts: ["alice"], port: Number(new URL(left.url).port) });
    // The child is reachable again within seconds; a detour does not move the session.
    await untilChild(front, "left");
    await until(
      "the session is back",
      async () => (await servedBy(await post(front.url, "s"))) === "alice",
      30_000,
    );
  });
});
