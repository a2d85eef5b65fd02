// Turns that wait for a reset, through a whole proxy with a simulated backend, over both transports.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import WebSocket from "ws";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { KEEP_ALIVE_MS, LOOK_MS } from "../../src/proxy/wait-queue.ts";
import { WATCH_INTERVAL_MS } from "../../src/state/config-watch.ts";
import { skippingClock } from "../support/clock.ts";
import { startPool, until } from "../support/pool.ts";
import { continued, NEXT_LOOK_MS, outcomeOf, turnsWait, waitingOf } from "../support/waiting.ts";

const TRANSPORTS = [
  ["HTTP", createSseClient],
  ["WebSocket", createSocketClient],
] as const;
const HOUR_MS = 3_600_000;
const WINDOW_MS = 5 * HOUR_MS;
const STICKY = '[policy]\nmode = "sticky"\n';
const WAITING = `${STICKY}[proxy]\nwait_for_reset = "6h"\n`;

describe.each(TRANSPORTS)("over %s", (_name, createClient) => {
  test("a turn waits for the first reset, and continues then", async () => {
    const clock = skippingClock();
    await using pool = await startPool({
      accounts: [
        { alias: "alice", turns: 1 },
        { alias: "bob", turns: 1 },
      ],
      config: WAITING,
      clock,
    });
    const client = createClient(pool.url, "s");
    expect(await client.turn("one")).toStartWith("Hello from ");
    expect(await client.turn("two")).toStartWith("Hello from ");
    const third = outcomeOf(client.turn("three"));
    await turnsWait(pool, 1);
    expect(await waitingOf(pool)).toMatchObject({ account: expect.any(String), window: "daily" });
    clock.skip(WINDOW_MS);
    expect(await continued(pool, clock, third)).toStartWith("Hello from ");
    expect(await waitingOf(pool)).toBeUndefined();
    client.close();
    const events = await pool.stopAndReadEvents();
    const began = events.find(({ event }) => event === "request.waiting")?.fields;
    expect(began).toMatchObject({ session: "s", account_alias: expect.any(String), window: "daily" });
    expect(Number(began?.wait_seconds)).toBeGreaterThan(4 * 3_600);
    const resumed = events.find(({ event }) => event === "request.resumed")?.fields;
    expect(resumed?.req_id).toBe(began?.req_id as number);
    expect(Number(resumed?.waited_seconds)).toBeGreaterThan(4 * 3_600);
  });

  test("a turn continues before the reset when an account is enabled", async () => {
    const clock = skippingClock();
    await using pool = await startPool({
      accounts: [{ alias: "alice", turns: 1 }, { alias: "bob" }],
      config: WAITING,
      clock,
    });
    await pool.accounts.serve("bob", "disable");
    const client = createClient(pool.url, "s");
    expect(await client.turn("one")).toBe("Hello from alice");
    const second = outcomeOf(client.turn("two"));
    await turnsWait(pool, 1);
    await pool.accounts.serve("bob", "enable");
    expect(await continued(pool, clock, second)).toBe("Hello from bob");
    client.close();
  });

  test("a turn does not wait if the first reset is beyond the bound", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", turns: 1 }],
      config: `${STICKY}[proxy]\nwait_for_reset = "30m"\n`,
      clock: skippingClock(),
    });
    const client = createClient(pool.url, "s");
    await client.turn("one");
    expect(await outcomeOf(client.turn("two"))).toContain("usage_limit_reached");
    client.close();
  });

  test("by default a turn does not wait", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }] });
    const client = createClient(pool.url, "s");
    await client.turn("one");
    expect(await outcomeOf(client.turn("two"))).toContain("usage_limit_reached");
    client.close();
  });

  test("a waiting turn gets the usage limit if the proxy shuts down", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", turns: 1 }],
      config: WAITING,
      clock: skippingClock(),
    });
    const client = createClient(pool.url, "s");
    await client.turn("one");
    const second = outcomeOf(client.turn("two"));
    await turnsWait(pool, 1);
    const events = await pool.stopAndReadEvents();
    expect(await second).toContain("usage_limit_reached");
    expect(events.find(({ event }) => event === "request.wait_ended")?.fields?.reason).toBe("shutting_down");
  });

  test("a waiting turn gets the usage limit if the setting is turned off", async () => {
    const clock = skippingClock();
    await using pool = await startPool({
      accounts: [{ alias: "alice", turns: 1 }],
      config: WAITING,
      clock,
    });
    const client = createClient(pool.url, "s");
    await client.turn("one");
    const second = outcomeOf(client.turn("two"));
    await turnsWait(pool, 1);
    writeFileSync(pool.layout.config, STICKY);
    pool.daemon.reload();
    expect(await continued(pool, clock, second)).toContain("usage_limit_reached");
    client.close();
  });

  test("a waiting turn takes no request in flight, and other models are served", async () => {
    const clock = skippingClock();
    await using pool = await startPool({
      accounts: [{ alias: "alice", turns: 1, meters: [{ model: "spark", feature: "f_spark", turns: 9 }] }],
      config: WAITING,
      clock,
    });
    const first = createClient(pool.url, "s1");
    expect(await first.turn("one")).toBe("Hello from alice");
    const waits = outcomeOf(first.turn("two"));
    await turnsWait(pool, 1);
    expect(pool.daemon.inFlight()).toBe(0);
    const other = createSseClient(pool.url, "s2");
    expect(await other.turn("hi", "spark")).toBe("Hello from alice");
    clock.skip(WINDOW_MS);
    expect(await continued(pool, clock, waits)).toBe("Hello from alice");
    first.close();
  });

  test("a run can let its own turns wait", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }], clock });
    const client = createClient(`${pool.url}/@0123456789;wait=28800`, "s");
    await client.turn("one");
    const second = outcomeOf(client.turn("two"));
    await turnsWait(pool, 1);
    const seen = await (await fetch(`${pool.url}/@0123456789;wait=28800/run`)).json();
    expect(seen).toMatchObject({ waiting: { turns: 1, account: "alice", window: "daily" } });
    clock.skip(WINDOW_MS);
    expect(await continued(pool, clock, second)).toBe("Hello from alice");
    client.close();
  });
});

test("a run learns about its waiting turns if the settings let turns wait, and about none by default", async () => {
  const seenBy = async (config: string) => {
    await using pool = await startPool({
      accounts: [{ alias: "alice", turns: 1 }],
      config,
      clock: skippingClock(),
    });
    await createSseClient(`${pool.url}/@0123456789`, "s").turn("one");
    const second = outcomeOf(createSseClient(`${pool.url}/@0123456789`, "s").turn("two"));
    if (config === WAITING) await turnsWait(pool, 1);
    else await second;
    const { waiting } = (await (await fetch(`${pool.url}/@0123456789/run`)).json()) as { waiting?: object };
    return waiting;
  };
  expect(await seenBy(WAITING)).toMatchObject({ turns: 1, account: "alice", window: "daily" });
  expect(await seenBy(STICKY)).toBeUndefined();
});

test("over HTTP the wait ends when the client disconnects", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice", turns: 1 }],
    config: WAITING,
    clock: skippingClock(),
  });
  await createSseClient(pool.url, "s").turn("one");
  const leaving = new AbortController();
  const body = JSON.stringify({ model: "m", input: [], stream: true });
  const request = fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    body,
    signal: leaving.signal,
  }).catch(() => undefined);
  await turnsWait(pool, 1);
  leaving.abort();
  await request;
  await turnsWait(pool, 0);
});

test("over WebSocket the wait ends when the client disconnects, which meanwhile gets the pool's limits", async () => {
  const clock = skippingClock();
  await using pool = await startPool({
    accounts: [{ alias: "alice", turns: 1 }],
    config: WAITING,
    clock,
  });
  const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`);
  const events: { type: string; rate_limits?: { limit_reached: boolean } }[] = [];
  socket.on("message", (data: Buffer) => events.push(JSON.parse(data.toString())));
  await new Promise((resolve) => socket.once("open", resolve));
  const turn = JSON.stringify({ type: "response.create", model: "m", input: [] });
  socket.send(turn);
  await until("the first turn is over", () => events.at(-1)?.type === "response.completed");
  events.length = 0;
  socket.send(turn);
  await turnsWait(pool, 1);
  clock.skip(KEEP_ALIVE_MS);
  clock.skip(LOOK_MS);
  await until("the limits have arrived", () => events.length > 0);
  expect(events[0]).toMatchObject({ type: "codex.rate_limits", rate_limits: { limit_reached: true } });
  socket.terminate();
  await turnsWait(pool, 0);
});

test("a handshake during the wait is sent to HTTP, where its turn waits", async () => {
  const clock = skippingClock();
  await using pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }], config: WAITING, clock });
  await createSseClient(pool.url, "s").turn("one");
  const refused = outcomeOf(createSseClient(pool.url, "s").turn("two"));
  await turnsWait(pool, 1);
  const status = await new Promise<number | undefined>((resolve) => {
    const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`);
    socket.on("error", () => {});
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
  });
  expect(status).toBe(426);
  clock.skip(WINDOW_MS);
  expect(await continued(pool, clock, refused)).toBe("Hello from alice");
});

test("turns that waited continue one after the other", async () => {
  const clock = skippingClock();
  await using pool = await startPool({ accounts: [{ alias: "alice", turns: 8 }], config: WAITING, clock });
  for (let turn = 0; turn < 8; turn++) await createSseClient(pool.url, `a${turn}`).turn("hi");
  const order: string[] = [];
  const turns = [];
  for (const name of ["b1", "b2", "b3", "b4", "b5"]) {
    turns.push(
      createSseClient(pool.url, name)
        .turn("hi")
        .then(() => void order.push(name)),
    );
    await turnsWait(pool, turns.length);
  }
  // The account serves nothing until the test releases it, so the slow start lets only one turn in.
  pool.mock.faults.add({ on: "sse", times: 1, gateAfter: 0 });
  const before = pool.mock.requests.filter(({ point }) => point === "sse").length;
  clock.skip(WINDOW_MS);
  const sent = () => pool.mock.requests.filter(({ point }) => point === "sse").length - before;
  await until("the first turn continues", async () => {
    if ((await waitingOf(pool))?.turns === 5) clock.skip(NEXT_LOOK_MS);
    return sent() > 0;
  });
  for (let look = 0; look < 5; look++) {
    clock.skip(NEXT_LOOK_MS);
    await waitingOf(pool);
  }
  expect(sent()).toBe(1);
  expect((await waitingOf(pool))?.turns).toBe(4);
  pool.mock.faults.release();
  await continued(pool, clock, Promise.all(turns));
  expect(order).toEqual(["b1", "b2", "b3", "b4", "b5"]);
});

test("a turn that is refused after its wait waits again", async () => {
  const clock = skippingClock();
  await using pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }], config: WAITING, clock });
  await createSseClient(pool.url, "s").turn("one");
  const second = outcomeOf(createSseClient(pool.url, "s").turn("two"));
  await turnsWait(pool, 1);
  const resets_at = Math.floor((clock.now() + WINDOW_MS) / 1000) + 60;
  pool.mock.faults.add({
    on: "sse",
    times: 1,
    answer: { status: 429, body: { error: { type: "usage_limit_reached", resets_at } } },
  });
  clock.skip(WINDOW_MS);
  expect(await continued(pool, clock, second)).toBe("Hello from alice");
  const events = await pool.stopAndReadEvents();
  expect(events.filter(({ event }) => event === "request.waiting")).toHaveLength(2);
});

test("a changed setting applies to the next turn without a restart", async () => {
  const clock = skippingClock();
  await using pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }], clock });
  await createSseClient(pool.url, "s").turn("one");
  expect(await outcomeOf(createSseClient(pool.url, "s").turn("two"))).toContain("usage_limit_reached");
  writeFileSync(pool.layout.config, WAITING);
  // The file is read again after a moment, in case it is still being written.
  for (let look = 0; look < 2; look++) clock.skip(WATCH_INTERVAL_MS);
  const third = outcomeOf(createSseClient(pool.url, "s").turn("three"));
  await turnsWait(pool, 1);
  clock.skip(WINDOW_MS);
  expect(await continued(pool, clock, third)).toBe("Hello from alice");
});
