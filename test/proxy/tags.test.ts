// Tags of accounts: which accounts serve the requests of runs, keys and settings that name tags.

import { expect, test } from "bun:test";
import { Explained } from "../../src/admin/answers.ts";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import type { TagDemand } from "../../src/core/account-tags.ts";
import { runPrefix } from "../../src/core/run-tag.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { limitBody, startPool, type TestPool } from "../support/pool.ts";

const ID = "0123456789abcdef";
const STICKY = '[policy]\nmode = "sticky"\n';
const TAGGED = '[accounts.bob]\ntags = ["work"]\n[accounts.carol]\ntags = ["work", "home"]\n';
const THREE = [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }];

const start = (config: string) => startPool({ accounts: THREE, config: `${config}${TAGGED}` });
const at = (pool: TestPool, tags: TagDemand) =>
  `${pool.url}${runPrefix({ id: ID, account: undefined, tags })}`;
const work = { tags: ["work"], only: false };
const workOnly = { tags: ["work"], only: true };

async function overBoth(url: string, session: string): Promise<string[]> {
  const first = await createSseClient(url, `sse ${session}`).turn("hi");
  const socket = createSocketClient(url, `socket ${session}`);
  const second = await socket.turn("hi");
  socket.close();
  return [first, second];
}

const from = (alias: string) => [`Hello from ${alias}`, `Hello from ${alias}`];

/** The response to a turn of Codex. */
async function refusal(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", originator: "codex_cli_rs", ...headers },
    body: JSON.stringify({ model: "gpt-5", stream: true, input: [] }),
  });
  return { status: response.status, body: await response.text() };
}

test("a run prefers accounts with one of its tags, and otherwise gets any account", async () => {
  await using pool = await start(STICKY);
  expect(await overBoth(pool.url, "1")).toEqual(from("alice"));
  expect(await overBoth(at(pool, work), "2")).toEqual(from("bob"));
  expect(await overBoth(at(pool, { tags: ["home", "x"], only: false }), "3")).toEqual(from("carol"));
  expect(await overBoth(at(pool, { tags: ["x"], only: false }), "4")).toEqual(from("carol")); // served last
  for (const alias of ["bob", "carol"]) await pool.accounts.serve(alias, "disable");
  expect(await overBoth(at(pool, work), "5")).toEqual(from("alice"));
});

test("a session moves to an account with a tag of its run", async () => {
  await using pool = await start(STICKY);
  const session = "one";
  expect(await createSseClient(pool.url, session).turn("hi")).toBe("Hello from alice");
  expect(await createSseClient(at(pool, work), session).turn("hi")).toBe("Hello from bob");
  await pool.accounts.serve("bob", "disable");
  expect(await createSseClient(at(pool, work), session).turn("hi")).toBe("Hello from carol");
});

test("a run that accepts only accounts with its tags is refused if none can serve", async () => {
  await using pool = await start(STICKY);
  expect(await overBoth(at(pool, workOnly), "1")).toEqual(from("bob"));
  const run = async (tags: TagDemand) => (await fetch(`${at(pool, tags)}/run`)).json();
  expect(await run(workOnly)).toMatchObject({ tagged: 2 });
  expect(await run({ tags: ["x"], only: true })).toMatchObject({ tagged: 0 });
  for (const alias of ["bob", "carol"]) await pool.accounts.serve(alias, "disable");
  expect(await refusal(at(pool, workOnly))).toEqual({
    status: 400,
    body: expect.stringContaining("no account with the tag work is in service: bob (disabled"),
  });
  expect(await refusal(at(pool, { tags: ["x", "y"], only: true }))).toEqual({
    status: 400,
    body: expect.stringContaining("no account has the tag x or y, and the request accepts no other account"),
  });
  expect((await refusal(pool.url)).status).toBe(200);
});

test("the log names the tag or the account of a run for which no WebSocket could be opened", async () => {
  await using pool = await start(STICKY);
  const answer = { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 3_600) } };
  for (const account of ["alice", "bob", "carol"]) pool.mock.faults.add({ on: "upgrade", account, answer });
  const pinned = `${pool.url}${runPrefix({ id: ID, account: "bob" })}`;
  for (const url of [at(pool, workOnly), pinned, pool.url])
    await createSocketClient(url, crypto.randomUUID())
      .turn("hi")
      .catch(() => {});
  const failed = (await pool.stopAndReadEvents()).filter(({ event }) => event === "websocket.failed");
  expect(failed.map(({ fields }) => [fields?.required_tags, fields?.pinned_to])).toEqual([
    ["work", undefined],
    [undefined, "bob"],
    [undefined, undefined],
  ]);
});

test("an explanation for a run with tags names the accounts with one, and why others do not serve", async () => {
  await using pool = await start(STICKY);
  const explain = async (query: string) => {
    const answer = await fetch(`${pool.url}/admin/explain?${query}`, {
      headers: { authorization: `Bearer ${pool.adminToken}` },
    });
    const { chosen, accounts } = Explained.parse(await answer.json());
    return [chosen, ...accounts.map(({ alias, why }) => `${alias}: ${why}`)];
  };
  expect(await explain("tags=Home,x")).toEqual([
    "carol",
    "carol: among those with the tag home or x: the first in the list that can serve",
    "alice: no tag home or x: carol has one",
    "bob: no tag home or x: carol has one",
  ]);
  expect(await explain("tags=x&only=1")).toEqual([
    undefined,
    "alice: it has no tag that the request requires",
    "bob: it has no tag that the request requires",
    "carol: it has no tag that the request requires",
  ]);
});

test("the refusal of exhausted accounts with a tag names the tag and their reset", async () => {
  await using pool = await start(STICKY);
  const resetAt = Math.floor(Date.now() / 1000) + 5_000;
  for (const alias of ["bob", "carol"])
    pool.mock.faults.add({
      on: "turn",
      account: alias,
      answer: {
        status: 429,
        body: { error: { type: "usage_limit_reached", message: "limit", resets_at: resetAt } },
      },
    });
  const { status, body } = await refusal(at(pool, workOnly));
  expect(status).toBe(429);
  const { error } = JSON.parse(body);
  expect(error).toMatchObject({ type: "usage_limit_reached", resets_at: resetAt });
  expect(await overBoth(at(pool, work), "2")).toEqual(from("alice"));
});

test("a key may name tags, and a run cannot leave those that the key requires", async () => {
  await using pool = await start(`[proxy]\nclient_auth = true\n${STICKY}`);
  const keys = remoteKeys(socketDoor(pool.layout.adminSocket));
  const served = async (key: string, prefix = "") => {
    const authorization = `Bearer ${key}`;
    const { body, status } = await refusal(`${pool.url}${prefix}`, { authorization });
    return status === 200 ? /Hello from (\w+)/.exec(body)?.[1] : status;
  };
  const soft = await keys.add("soft", "client", { tags: ["work"], only: false });
  const strict = await keys.add("strict", "parent", { tags: ["home"], only: true });
  expect((await keys.list()).map(({ name, tags }) => [name, tags])).toEqual([
    ["soft", { tags: ["work"], only: false }],
    ["strict", { tags: ["home"], only: true }],
  ]);
  expect([await served(soft), await served(strict)]).toEqual(["bob", "carol"]);
  const run = (tags: string) =>
    runPrefix({ id: ID, account: undefined, tags: { tags: [tags], only: false } });
  expect(await served(strict, run("work"))).toBe("carol");
  // A client's key cannot choose, because the answer would show which tags exist.
  expect(await served(soft, run("home"))).toBe(401);
  for (const alias of ["bob", "carol"]) await pool.accounts.serve(alias, "disable");
  expect([await served(soft), await served(strict)]).toEqual(["alice", 400]);
});

test("the settings may name tags for requests whose run and key name none", async () => {
  await using pool = await start(`${STICKY}tags = ["home"]\n`);
  expect(await overBoth(pool.url, "1")).toEqual(from("carol"));
  expect(await overBoth(at(pool, work), "2")).toEqual(from("carol")); // served last, and has the tag
  // The proxy's pin comes before this preference, and a run's tags come before the pin.
  await pool.accounts.pin("alice");
  expect(await overBoth(pool.url, "4")).toEqual(from("alice"));
  expect(await overBoth(at(pool, work), "5")).toEqual(from("bob"));
  const pinned = `${pool.url}${runPrefix({ id: ID, account: "bob" })}`;
  expect(await overBoth(pinned, "6")).toEqual(from("bob"));
  await pool.accounts.unpin();
  await pool.accounts.serve("carol", "disable");
  expect(await overBoth(pool.url, "3")).not.toEqual(from("carol"));
});
