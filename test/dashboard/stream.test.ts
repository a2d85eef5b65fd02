// The event stream of the dashboard's page.

import { expect, test } from "bun:test";
import type { PoolExplanation } from "../../src/core/explain.ts";
import type { ShownLogEvent, Snapshot } from "../../src/dashboard/messages.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";
import { openSession, type PageSession } from "./browser.ts";

interface Message {
  readonly event: string;
  readonly id: number | undefined;
  readonly data: unknown;
}

/** Reads the messages of a stream one by one. */
async function openStream(pool: TestPool, session: PageSession, query = "") {
  const response = await fetch(`${pool.url}/_/events${query}`, { headers: { ...session } });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("the response has no body");
  const decoder = new TextDecoder();
  let text = "";
  const next = async (): Promise<Message | undefined> => {
    while (!text.includes("\n\n")) {
      const { done, value } = await reader.read();
      if (done) return undefined;
      text += decoder.decode(value, { stream: true });
    }
    const end = text.indexOf("\n\n");
    const fields = new Map(
      text
        .slice(0, end)
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
    );
    text = text.slice(end + 2);
    const id = fields.get("id");
    return {
      event: fields.get("event") ?? "",
      id: id === undefined ? undefined : Number(id),
      data: JSON.parse(fields.get("data") ?? "null"),
    };
  };
  return {
    next,
    /** Reads until a message satisfies `isWanted`. */
    until: async (isWanted: (message: Message) => boolean): Promise<Message> => {
      for (;;) {
        const message = await next();
        if (message === undefined) throw new Error("the stream ended");
        if (isWanted(message)) return message;
      }
    },
    close: () => reader.cancel(),
  };
}

const logged = ({ data }: Message) => data as readonly ShownLogEvent[];
const has = (name: string) => (message: Message) =>
  message.event === "log" && logged(message).some(({ event }) => event === name);

test("starts with the state and the last events, and continues with changes", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const stream = await openStream(pool, await openSession(pool));
  const first = (await stream.until(({ event }) => event === "snapshot")).data as Snapshot;
  expect(first.status.accounts.map(({ alias }) => alias)).toEqual(["alice", "bob"]);
  expect([first.requests, first.sessions, first.recordedTurns]).toEqual([[], [], 0]);
  const start = await stream.until(has("proxy.started"));
  expect(logged(start).find(({ event }) => event === "proxy.started")?.level).toBe("info");

  await pool.accounts.pin("bob");
  await stream.until(has("account.pinned"));
  const pinned = await stream.until(
    ({ event, data }) =>
      event === "snapshot" && (data as Snapshot).status.accounts.some((account) => account.pinned),
  );
  expect((pinned.data as Snapshot).status.state.pinned_account_id).toContain("bob");

  await createSseClient(pool.url, "s-1").turn("hello");
  const served = await stream.until(
    ({ event, data }) => event === "snapshot" && (data as Snapshot).sessions.length > 0,
  );
  expect((served.data as Snapshot).sessions).toEqual([{ session: "s-1", upstream: "bob", held: false }]);
  await stream.until(({ event, data }) => event === "snapshot" && (data as Snapshot).recordedTurns === 1);
  await stream.close();
});

test("shows turns that wait for a reset, and anchoring", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice", turns: 1 }],
    config: '[proxy]\nwait_for_reset = "6h"\n[anchor]\nenabled = true\nmodel = "gpt-6-codex"\n',
  });
  const stream = await openStream(pool, await openSession(pool));
  await createSseClient(pool.url, "s-1").turn("one");
  const held = createSseClient(pool.url, "s-1").turn("two").catch(String);
  const { data } = await stream.until(
    ({ event, data }) => event === "snapshot" && (data as Snapshot).status.waiting !== undefined,
  );
  const { status } = data as Snapshot;
  expect([status.waiting?.turns, status.waiting?.account, status.anchor?.turns]).toEqual([1, "alice", 0]);
  await stream.close();
  await pool.daemon.stop("test");
  expect(await held).toContain("status 429");
});

test("continues at an offset without losing or repeating an event", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const session = await openSession(pool);
  const before = await openStream(pool, session);
  const { id } = await before.until(has("proxy.started"));
  await before.close();
  await pool.accounts.pin("alice");
  await pool.accounts.unpin();
  const after = await openStream(pool, session, `?since=${id}`);
  const message = await after.until(({ event }) => event === "log");
  const names = [...logged(message)].map(({ event }) => event);
  while (!names.includes("account.unpinned"))
    names.push(...logged(await after.until(({ event }) => event === "log")).map(({ event }) => event));
  expect(names.filter((name) => name.startsWith("account."))).toEqual(["account.pinned", "account.unpinned"]);
  expect(names).not.toContain("proxy.started");
  await after.close();
});

test("has the options of accounts with their sources, and says why accounts are passed over", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }],
    config: '[accounts.alice]\npriority = 10\n[accounts.carol]\nfloor_weekly = "100%"\n',
  });
  await pool.accounts.set("bob", { options: { note: "spare" } });
  await fetch(`${pool.url}/status?refresh=1`);
  const session = await openSession(pool);
  const stream = await openStream(pool, session);
  const isComplete = ({ event, data }: Message) =>
    event === "snapshot" && Object.keys((data as Snapshot).passedOver).length === 2;
  const { options, passedOver } = (await stream.until(isComplete)).data as Snapshot;
  expect(options).toEqual({
    "openai:alice": [{ name: "priority", source: expect.stringMatching(/^config\.toml line \d+$/) }],
    "openai:bob": [{ name: "note", source: "codexlb account set" }],
    "openai:carol": [{ name: "floor_weekly", source: expect.stringMatching(/^config\.toml line \d+$/) }],
  });
  expect(passedOver).toEqual({
    "openai:bob": "priority 0: alice has 10",
    "openai:carol": "at its floor (Weekly limit: the last 100 % are kept back); alice is not",
  });
  await stream.close();
});

test("explains the next turn of a run with tags", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    config: '[accounts.bob]\ntags = ["work"]\n',
  });
  const headers = { ...(await openSession(pool)) };
  const chosen = async (query: string) =>
    ((await (await fetch(`${pool.url}/_/explain?${query}`, { headers })).json()) as PoolExplanation).chosen;
  expect(await chosen("session=&model=&tags=&only=")).toBe("alice");
  expect(await chosen("tags=home,work")).toBe("bob");
  expect(await chosen("tags=home&only=1")).toBeUndefined();
});

test("shows requests in flight", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  pool.mock.faults.add({ on: "turn", gateAfter: 1 });
  const stream = await openStream(pool, await openSession(pool));
  const turn = createSseClient(pool.url, "s-2").turn("hello");
  const busy = await stream.until(
    ({ event, data }) => event === "snapshot" && (data as Snapshot).requests.length > 0,
  );
  expect((busy.data as Snapshot).requests).toMatchObject([{ upstream: "alice", session: "s-2" }]);
  await fetch(`${pool.mock.origin}/__mock/release`, { method: "POST" });
  await turn;
  await stream.until(({ event, data }) => event === "snapshot" && (data as Snapshot).requests.length === 0);
  await stream.close();
});

test("ends when the proxy stops, which does not wait for it", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: "[proxy]\ndrain_timeout_seconds = 600\n",
  });
  const stream = await openStream(pool, await openSession(pool));
  await stream.next();
  await pool.stopAndReadEvents();
  let last = await stream.next();
  while (last !== undefined) last = await stream.next();
});

test("is refused when too many pages are open, until some of them are closed", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const session = await openSession(pool);
  const streams = await Promise.all(Array.from({ length: 32 }, () => openStream(pool, session)));
  const response = await fetch(`${pool.url}/_/events`, { headers: { ...session } });
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, "busy"]);
  for (const stream of streams) await stream.close();
  await until("the proxy noticed that the pages are closed", async () => {
    const again = await fetch(`${pool.url}/_/events`, { headers: { ...session } });
    await again.body?.cancel();
    return again.status === 200;
  });
});
