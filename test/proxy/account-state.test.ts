// Notes, history and files, which the backend keeps for one account, through a whole proxy.

import { describe, expect, test } from "bun:test";
import { createSseClient } from "../../src/mock/client.ts";
import { skippingClock } from "../support/clock.ts";
import { limitBody, startPool, type TestPool, until } from "../support/pool.ts";
import { startUpstream } from "../support/upstream.ts";

const SESSION = "01a2252a-2e17-7383-9158-46eb62d6e265";
const MANY = ["alice", "bob", "carol", "dave", "erin", "frank", "grace"].map((alias) => ({ alias }));

interface Answer {
  readonly status: number;
  readonly body: { readonly text?: string; readonly detail?: string; readonly error?: { code?: string } };
}

/** A request of Codex's tools for notes and history. */
async function ask({ url }: Pick<TestPool, "url">, operation: string, fields: object = {}): Promise<Answer> {
  const context = { session_id: SESSION, current_agent_name: "/root" };
  const response = await fetch(`${url}/backend-api/codex/alpha/${operation}`, {
    method: "POST",
    headers: { "content-type": "application/json", originator: "codex_exec" },
    body: JSON.stringify({ ...fields, context }),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const write = (pool: TestPool, path: string, text: string) =>
  ask(pool, "notes/v2/write_file", { path, text });
const read = (pool: TestPool, path: string) => ask(pool, "notes/v2/read_file", { path });

/** The accounts that were asked for notes or history, in order. */
function asked({ mock }: TestPool): (string | undefined)[] {
  return mock.requests.filter(({ path }) => /alpha\/(?:notes|history)/.test(path)).map((one) => one.account);
}

/** Uses up alice's quota, so that bob serves the session. */
async function moveToBob(pool: TestPool): Promise<void> {
  const error = limitBody(Math.floor(Date.now() / 1000) + 3_600);
  pool.mock.faults.add({ on: "sse", account: "alice", times: 1, answer: { status: 429, body: { error } } });
  expect(await createSseClient(pool.url, SESSION).turn("hello")).toBe("Hello from bob");
}

describe("notes", () => {
  test("go to the account that serves their session, which only the body names", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await pool.accounts.pin("bob");
    expect(await createSseClient(pool.url, SESSION).turn("hello")).toBe("Hello from bob");
    await pool.accounts.pin("alice");
    expect(await createSseClient(pool.url, "another").turn("hello")).toBe("Hello from alice");
    await pool.accounts.unpin();
    expect((await write(pool, "plan.md", "step 1")).status).toBe(200);
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
    expect(asked(pool)).toEqual(["bob", "bob"]);
  });

  test("stay with their account when the session moves, even though that account is exhausted", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await createSseClient(pool.url, SESSION).turn("hello");
    await write(pool, "plan.md", "step 1");
    await moveToBob(pool);
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
    expect((await ask(pool, "notes/v2/append_to_file", { path: "plan.md", text: ", step 2" })).status).toBe(
      200,
    );
    expect((await read(pool, "plan.md")).body.text).toBe("step 1, step 2");
    expect((await ask(pool, "notes/v2/thread_hint")).body.text).toBe("plan.md");
    expect(asked(pool)).toEqual(["alice", "alice", "alice", "alice", "alice"]);
  });

  test("written before the first turn stay where they are when the turn goes to another account", async () => {
    await using pool = await startPool({ accounts: MANY });
    await pool.accounts.pin("erin");
    await write(pool, "plan.md", "step 1");
    await pool.accounts.unpin();
    expect(await createSseClient(pool.url, SESSION).turn("hello")).toBe("Hello from alice");
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
    expect(asked(pool)).toEqual(["erin", "erin"]);
  });

  test("go to the next account when theirs is disabled, and are found on both when it is back", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await write(pool, "plan.md", "step 1");
    await pool.accounts.serve("alice", "disable");
    expect((await write(pool, "more.md", "step 2")).status).toBe(200);
    expect((await read(pool, "plan.md")).status).toBe(404);
    await pool.accounts.serve("alice", "enable");
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
    expect((await read(pool, "more.md")).body.text).toBe("step 2");
    expect((await write(pool, "last.md", "step 3")).status).toBe(200);
    // The newer notes are on bob, so bob is asked first.
    expect(asked(pool)).toEqual(["alice", "bob", "bob", "bob", "alice", "bob", "bob"]);
  });

  test("that one account has are found, whatever the pool is pinned to", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await write(pool, "plan.md", "step 1");
    await pool.accounts.pin("bob");
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
    expect(asked(pool)).toEqual(["alice", "alice"]);
  });
});

describe("a read that misses", () => {
  test("asks four more accounts, and returns the response of the last one", async () => {
    await using pool = await startPool({ accounts: MANY });
    const { status, body } = await read(pool, "plan.md");
    expect({ status, detail: body.detail }).toEqual({ status: 404, detail: "No note found" });
    expect(asked(pool)).toHaveLength(5);
    expect(new Set(asked(pool)).size).toBe(5);
    const events = await pool.stopAndReadEvents();
    expect(events.filter(({ event }) => event === "request.failed")).toEqual([]);
  });

  test("asks every account of a small pool once, and logs no failure", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    expect((await read(pool, "plan.md")).status).toBe(404);
    expect(asked(pool)).toEqual(["alice", "bob"]);
    const events = await pool.stopAndReadEvents();
    expect(events.filter(({ event }) => event === "request.failed")).toEqual([]);
    expect(events.find(({ event }) => event === "request.completed")?.fields?.status).toBe(404);
  });

  test("finds a note of an account that the session never used", async () => {
    await using pool = await startPool({ accounts: MANY });
    // Another proxy has sent the note.
    const dave = pool.mock.accounts.issue(pool.mock.accounts.byAlias("dave")).access_token;
    await fetch(`${pool.mock.baseUrl}/codex/alpha/notes/v2/write_file`, {
      method: "POST",
      headers: { authorization: `Bearer ${dave}`, "chatgpt-account-id": "mock-dave" },
      body: JSON.stringify({ path: "plan.md", text: "step 1", context: { session_id: SESSION } }),
    });
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
    const found = asked(pool).length;
    expect(asked(pool).at(-1)).toBe("dave");
    // From now on it is known.
    await read(pool, "plan.md");
    expect(asked(pool).slice(found)).toEqual(["dave"]);
  });

  test("does not report a missing note if the account that may have it failed", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await write(pool, "plan.md", "step 1");
    pool.mock.faults.add({ on: "other", account: "alice", times: 1, answer: { status: 503, body: {} } });
    expect((await read(pool, "plan.md")).status).toBe(503);
    expect((await read(pool, "plan.md")).body.text).toBe("step 1");
  });
});

test("a read waits at most ten seconds for an account, and then does not report a missing note", async () => {
  const clock = skippingClock();
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock });
  await write(pool, "plan.md", "step 1");
  pool.mock.faults.add({ on: "other", account: "alice", hang: true });
  const answer = read(pool, "plan.md");
  await until("alice is asked", () => asked(pool).length === 2 || pool.mock.requests.length === 2);
  clock.skip(10_000);
  expect((await answer).status).toBe(502);
  expect((await pool.status()).accounts[0]).toMatchObject({ alias: "alice", healthy: true });
});

test("a write that an account refuses is not sent to another one", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  pool.mock.faults.add({
    on: "other",
    account: "alice",
    times: 1,
    answer: { status: 404, body: { detail: "x" } },
  });
  expect((await write(pool, "plan.md", "step 1")).status).toBe(404);
  expect(asked(pool)).toEqual(["alice"]);
});

test.each([429, 402, 403, 500, 503])("status %i for notes puts no account out of service", async (status) => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const body = { error: limitBody(Math.floor(Date.now() / 1000) + 3_600) };
  pool.mock.faults.add({ on: "other", account: "alice", answer: { status, body } });
  await read(pool, "plan.md");
  await write(pool, "plan.md", "step 1");
  const { accounts } = await pool.status();
  expect(accounts.map(({ alias, healthy, enabled }) => [alias, healthy, enabled])).toEqual([
    ["alice", true, true],
    ["bob", true, true],
  ]);
  expect(await createSseClient(pool.url, SESSION).turn("hello")).toBe("Hello from alice");
});

test("a broken connection for notes puts no account out of service", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  pool.mock.faults.add({ on: "other", account: "alice", reset: true });
  expect((await read(pool, "plan.md")).status).not.toBe(200);
  expect((await pool.status()).accounts[0]).toMatchObject({ alias: "alice", healthy: true });
});

test("history is asked of the session's account first, then of the earlier ones, the latest first", async () => {
  await using pool = await startPool({ accounts: MANY });
  for (const alias of ["grace", "dave", "frank"]) {
    await pool.accounts.pin(alias);
    expect(await createSseClient(pool.url, SESSION).turn("hello")).toBe(`Hello from ${alias}`);
  }
  await pool.accounts.unpin();
  expect((await ask(pool, "history/v2/read_item", { item_id: "1" })).status).toBe(404);
  expect(asked(pool).slice(0, 3)).toEqual(["frank", "dave", "grace"]);
  expect(asked(pool)).toHaveLength(5);
});

test("an uploaded file is confirmed with the account on which it was created", async () => {
  const calls: string[] = [];
  await using upstream = startUpstream((request) => {
    const { pathname } = new URL(request.url);
    calls.push(`${request.headers.get("chatgpt-account-id")} ${pathname}`);
    // Like the real backend, without a length.
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"file_id":"file_1","upload_url":"https://x"}'));
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  });
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    upstream: upstream.baseUrl,
  });
  const post = async (path: string) =>
    (await fetch(`${pool.url}/backend-api${path}`, { method: "POST", body: "{}" })).text();
  await pool.accounts.pin("bob");
  expect(await post("/files")).toContain("file_1");
  await pool.accounts.unpin();
  await pool.accounts.pin("alice");
  await post("/files/file_1/uploaded");
  expect(calls).toEqual(["mock-bob /backend-api/files", "mock-bob /backend-api/files/file_1/uploaded"]);
});
