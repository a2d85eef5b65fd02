// Tests requests of one `codexlb run`, which have its tag in their paths: they are counted, and pinned to its account.

import { expect, test } from "bun:test";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { type RunTag, runPrefix } from "../../src/core/run-tag.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { createRuns } from "../../src/proxy/runs.ts";
import { startPool, type TestPool } from "../support/pool.ts";

const ID = "0123456789abcdef";
const TWO = { accounts: [{ alias: "alice" }, { alias: "bob" }] };

const at = (pool: TestPool, account?: string) => `${pool.url}${runPrefix({ id: ID, account })}`;
const seen = async (pool: TestPool) => (await fetch(`${at(pool)}/run`)).json();

test("the requests and the turns of a run are counted separately", async () => {
  await using pool = await startPool(TWO);
  expect(await seen(pool)).toEqual({ requests: 0, turns: 0 });
  await fetch(`${at(pool)}/backend-api/codex/models?client_version=0.169.0`);
  await fetch(`${at(pool)}/backend-api/wham/usage`);
  expect(await createSseClient(at(pool), "s1").turn("hi")).toBe("Hello from alice");
  const socket = createSocketClient(at(pool), "s2");
  await socket.turn("hi");
  await socket.turn("again");
  socket.close();
  expect(await seen(pool)).toEqual({ requests: 4, turns: 2 });
  // The tag does not reach the backend.
  expect(pool.mock.requests.filter(({ path }) => path.includes("@"))).toEqual([]);
});

test("a run that has chosen an account stays with it, over both transports, before the pool's pin", async () => {
  await using pool = await startPool(TWO);
  await pool.accounts.pin("alice");
  for (const name of ["bob", "openai:bob"]) {
    expect(await createSseClient(at(pool, name), `sse ${name}`).turn("hi")).toBe("Hello from bob");
    const socket = createSocketClient(at(pool, name), `socket ${name}`);
    expect(await socket.turn("hi")).toBe("Hello from bob");
    expect(await socket.turn("again")).toBe("Hello from bob");
    socket.close();
  }
  expect(await createSseClient(pool.url, "s3").turn("hi")).toBe("Hello from alice");
});

test("while the account of a run cannot serve, other accounts do", async () => {
  await using pool = await startPool(TWO);
  await pool.accounts.serve("bob", "disable");
  expect(await createSseClient(at(pool, "bob"), "s1").turn("hi")).toBe("Hello from alice");
  const socket = createSocketClient(at(pool, "bob"), "s2");
  await socket.turn("hi");
  await socket.turn("again");
  socket.close();
  const report = (account: string) => fetch(`${at(pool, account)}/run`).then((answer) => answer.json());
  expect(await report("bob")).toEqual({
    requests: 2,
    turns: 2,
    absence: "out",
    others: [{ alias: "alice", turns: 3, absence: "out" }],
  });
  // Only a run that may choose accounts learns their names.
  expect(await seen(pool)).toEqual({ requests: 2, turns: 2 });
});

test("a run with an unknown account is refused on every path", async () => {
  await using pool = await startPool(TWO);
  for (const path of ["/run", "/backend-api/codex/models", "/backend-api/wham/usage", "/status"]) {
    const answer = await fetch(`${at(pool, "carol")}${path}`);
    expect([path, answer.status]).toEqual([path, 404]);
    expect(await answer.json()).toMatchObject({ error: { code: "account_not_found" } });
  }
});

test("the tag gives no access to protected paths", async () => {
  await using pool = await startPool({ ...TWO, config: "[proxy]\nclient_auth = true\n" });
  const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("laptop", "client");
  const statusOf = async (path: string, bearer?: string) => {
    const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    return (await fetch(`${at(pool)}${path}`, { headers })).status;
  };
  for (const path of ["/run", "/status", "/backend-api/codex/models", "/admin/accounts", "/logs"])
    expect([path, await statusOf(path)]).toEqual([path, 401]);
  for (const [path, status] of [
    ["/status", 401],
    ["/admin/accounts", 403],
    ["/logs", 403],
  ] as const)
    expect([path, await statusOf(path, key)]).toEqual([path, status]);
  expect(await statusOf("/run", key)).toBe(200);
  expect(await statusOf("/admin/accounts", pool.adminToken)).toBe(200);
});

test("runs that were silent for the longest are forgotten first", () => {
  const runs = createRuns();
  const id = (n: number): RunTag["id"] => n.toString(16).padStart(16, "0");
  for (let n = 0; n < 5_000; n++) {
    runs.note(id(n), false);
    runs.note(id(0), true);
  }
  expect(runs.seen(id(0))).toEqual({ requests: 5_001, turns: 5_000 });
  expect(runs.seen(id(1)).requests).toBe(0);
  expect(runs.seen(id(4_999)).requests).toBe(1);
});

test("the threads of a run's turns are known, the newest first, and at most 16", () => {
  const runs = createRuns();
  const thread = (n: number) => `01a2223e-672e-7950-a46f-${String(n).padStart(12, "0")}`;
  for (let n = 0; n < 20; n++) runs.note(ID, true, thread(n));
  runs.note(ID, true, thread(10));
  runs.note(ID, false, thread(30));
  runs.note(ID, true, "../../etc/passwd");
  const { threads = [] } = runs.seen(ID);
  expect(threads.slice(0, 3)).toEqual([thread(10), thread(19), thread(18)]);
  expect(threads).toHaveLength(16);
});
