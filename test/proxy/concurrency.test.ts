// The limit on an account's concurrent turns, through a whole proxy with a simulated backend, over both transports.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import WebSocket from "ws";
import { shortStatus } from "../../src/core/short-status.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { LONGEST_SLOT_WAIT_MS } from "../../src/proxy/slot-queue.ts";
import { skippingClock } from "../support/clock.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";
import { recordedTurns } from "../support/recorded-turns.ts";
import { outcomeOf } from "../support/waiting.ts";

const TRANSPORTS = [
  ["HTTP", createSseClient],
  ["WebSocket", createSocketClient],
] as const;
/** No turn waits because of the slow start that follows a failure. */
const PATIENT = "[proxy]\ncooldown_default_seconds = 1\n";
const limited = (turns: number) =>
  `${PATIENT}[policy]\nmode = "sticky"\n[accounts.alice]\nconcurrency = ${turns}\n`;

/** The turns that the backend has received, with failed ones. */
const received = ({ mock }: TestPool, account?: string) =>
  mock.requests.filter(
    (one) =>
      (one.point === "sse" || one.point === "message") && (account === undefined || one.account === account),
  ).length;

/** The number of turns that wait for a slot. */
const queued = async ({ url, adminToken }: TestPool): Promise<number> => {
  const headers = { authorization: `Bearer ${adminToken}` };
  const status = await (await fetch(`${url}/status`, { headers })).json();
  return (status as { queued_turns?: number }).queued_turns ?? 0;
};

const waitInQueue = (pool: TestPool, turns: number) =>
  until(`${turns} turns wait for a slot`, async () => (await queued(pool)) === turns);

interface OpenTurn {
  /** The client disconnects. */
  leave(): void;
  /** Resolves when nothing more arrives. */
  readonly over: Promise<unknown>;
}

function httpTurn({ url }: TestPool): OpenTurn {
  const leaving = new AbortController();
  const over = fetch(`${url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", input: [], stream: true }),
    signal: leaving.signal,
  }).then(
    (response) => response.text().catch(String),
    () => undefined,
  );
  return { leave: () => leaving.abort(), over };
}

function socketTurn({ url }: TestPool): OpenTurn {
  const socket = new WebSocket(`${url.replace("http", "ws")}/backend-api/codex/responses`);
  const over = new Promise((resolve) => {
    socket.on("error", resolve);
    socket.on("close", resolve);
    socket.on("message", (data: Buffer) => {
      const { type } = JSON.parse(data.toString()) as { type: string };
      if (type === "error" || type === "response.completed" || type === "response.failed") socket.close();
    });
  });
  socket.on("open", () => socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] })));
  return { leave: () => socket.terminate(), over };
}

test("whatever fails, breaks off or leaves, an account never exceeds its concurrency limit, and every turn ends", async () => {
  const step = fc.constantFrom("http", "http", "socket", "socket", "release", "release", "leave");
  const failure = fc.record({
    skip: fc.nat({ max: 3 }),
    fault: fc.constantFrom(
      { answer: { status: 500 } },
      { reset: true },
      { cutAfter: 2, end: "reset" as const },
      { cutAfter: 6, end: "reset" as const },
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(failure, { maxLength: 2 }),
      fc.array(step, { minLength: 8, maxLength: 24 }),
      async (limit, failures, steps) => {
        await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(limit) });
        for (const { skip, fault } of failures)
          pool.mock.faults.add({ on: "turn", times: 1, skip, ...fault });
        pool.mock.faults.add({ on: "turn", gateAfter: 6 });
        const turns: OpenTurn[] = [];
        /** Turns that have ended or may have: nothing else frees a slot. */
        let freed = failures.length;
        const check = () => expect(received(pool) - freed).toBeLessThanOrEqual(limit);
        for (const what of steps) {
          check();
          if (what === "http") turns.push(httpTurn(pool));
          else if (what === "socket") turns.push(socketTurn(pool));
          else {
            freed++;
            if (what === "release") pool.mock.faults.release();
            else turns.shift()?.leave();
          }
          // Gives the proxy and the backend, which run in this process, time for the turns before.
          await pool.status();
        }
        check();
        let isOver = false;
        void Promise.all(turns.map(({ over }) => over)).then(() => {
          isOver = true;
        });
        await until("all turns have ended", async () => {
          check();
          freed++;
          pool.mock.faults.release();
          await pool.status();
          return isOver;
        });
        await until("nothing is in flight", () => pool.daemon.inFlight() === 0);
      },
    ),
    // A smaller example is not worth the time that it takes to find.
    { numRuns: 25, endOnFailure: true },
  );
}, 120_000);

test("an account that cools down after a failure keeps its limit", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(1) });
  pool.mock.faults.add({ on: "turn", skip: 1, times: 1, answer: { status: 500 } });
  pool.mock.faults.add({ on: "turn", gateAfter: 6 });
  const turns = [httpTurn(pool)];
  await until("the account is full", () => received(pool) === 1);
  for (let waiting = 1; waiting <= 4; waiting++) {
    turns.push(httpTurn(pool));
    await waitInQueue(pool, waiting);
  }
  pool.mock.faults.release();
  await turns[1]?.over;
  await until("the next turn has the slot", () => received(pool) === 3);
  expect(await queued(pool)).toBe(2);
  expect(received(pool)).toBe(3);
  for (const _turn of turns) pool.mock.faults.release();
  await Promise.all(turns.map(({ over }) => over));
});

test("status and metrics say that turns wait for a slot, until the full account takes no new sessions", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(1) });
  const headers = { authorization: `Bearer ${pool.adminToken}` };
  const get = async (path: string) => (await fetch(`${pool.url}${path}`, { headers })).text();
  pool.mock.faults.add({ on: "turn", gateAfter: 6 });
  const first = httpTurn(pool);
  await until("the account is full", () => received(pool) === 1);
  const second = httpTurn(pool);
  await waitInQueue(pool, 1);
  const status = async () => StatusAnswer.parse(JSON.parse(await get("/status")));
  expect(shortStatus(await status())).toStartWith("lb=none reason=full");
  expect(await get("/metrics")).toContain("codexlb_turns_queued 1\n");
  const set = (state: string) =>
    fetch(`${pool.url}/admin/account/${state}`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ alias: "alice" }),
    });
  await set("drain");
  expect(shortStatus(await status())).toStartWith("lb=none reason=none");
  expect((await status()).accounts[0]?.full_at).toBe(1);
  await set("disable");
  expect((await status()).accounts[0]?.full_at).toBeUndefined();
  pool.mock.faults.release();
  await Promise.all([first.over, second.over]);
});

describe.each(TRANSPORTS)("over %s", (_name, createClient) => {
  test("a full account is passed over, even for its own sessions, which come back when it has a free slot", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      config: limited(2),
    });
    const client = createClient(pool.url, "own");
    expect(await client.turn("one")).toBe("Hello from alice");
    pool.mock.faults.add({ on: "turn", account: "alice", times: 2, gateAfter: 6 });
    const others = [createClient(pool.url, "a"), createClient(pool.url, "b")];
    const open = others.map((other) => other.turn("hi"));
    await until("alice serves two turns", () => received(pool, "alice") === 3);
    expect(await client.turn("two")).toBe("Hello from bob");

    const headers = { authorization: `Bearer ${pool.adminToken}` };
    const explained = await (await fetch(`${pool.url}/admin/explain?session=own`, { headers })).json();
    const why = "at its limit of 2 concurrent turns";
    expect(explained).toMatchObject({
      chosen: "bob",
      accounts: [{ alias: "bob" }, { alias: "alice", tier: "full", why }],
    });
    const { accounts } = await pool.status();
    expect(accounts.find(({ alias }) => alias === "alice")).toMatchObject({ concurrency: 2, full_at: 2 });

    for (const _turn of open) pool.mock.faults.release();
    expect(await Promise.all(open)).toEqual(["Hello from alice", "Hello from alice"]);
    expect(await client.turn("three")).toBe("Hello from alice");
    for (const one of [client, ...others]) one.close();
    const events = await pool.stopAndReadEvents();
    const moves = events.filter(({ event }) => event === "request.switched");
    expect(moves.map(({ fields }) => [fields?.from, fields?.to, fields?.reason])).toEqual([
      ["alice", "bob", "full"],
      ["bob", "alice", "affinity"],
    ]);
  });

  test("turns wait in order of arrival if every account is full", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(1) });
    pool.mock.faults.add({ on: "turn", gateAfter: 6 });
    const order: string[] = [];
    const clients = ["first", "second", "third", "fourth"].map((name) => ({
      name,
      ...createClient(pool.url, name),
    }));
    const turns: Promise<unknown>[] = [];
    for (const [index, { name, turn }] of clients.entries()) {
      turns.push(turn("hi").then(() => order.push(name)));
      if (index === 0) await until("the first turn is served", () => received(pool) === 1);
      else await waitInQueue(pool, index);
    }
    for (let served = 1; served <= clients.length; served++) {
      await until("the next turn is served", () => received(pool) === served);
      expect(await queued(pool)).toBe(clients.length - served);
      pool.mock.faults.release();
      await until("it has ended", () => order.length === served);
    }
    expect(order).toEqual(clients.map(({ name }) => name));
    for (const { close } of clients) close();
    const events = (await pool.stopAndReadEvents()).filter(({ event }) => event.startsWith("request.queue"));
    expect(events.map(({ event, fields }) => fields?.reason ?? event)).toEqual([
      ...Array.from({ length: 3 }, () => "request.queued"),
      ...Array.from({ length: 3 }, () => "placed"),
    ]);
  });

  test("the wait for a slot is not part of the turn's duration", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(1), clock });
    const clients = ["one", "two"].map((name) => createClient(pool.url, name));
    pool.mock.faults.add({ on: "turn", gateAfter: 6 });
    const first = clients[0]!.turn("hi");
    await until("the account is full", () => received(pool) === 1);
    const second = clients[1]!.turn("hi");
    await waitInQueue(pool, 1);
    clock.skip(LONGEST_SLOT_WAIT_MS / 2);
    for (const _client of clients) pool.mock.faults.release();
    await Promise.all([first, second]);
    for (const { close } of clients) close();
    await pool.stopAndReadEvents();
    const durations = recordedTurns(pool.layout.usage).map(({ session, duration_ms }) => [
      session,
      Number(duration_ms) < LONGEST_SLOT_WAIT_MS / 2,
    ]);
    expect(durations.sort()).toEqual([
      ["one", false],
      ["two", true],
    ]);
  });

  test("a turn is refused after a bounded wait, so that its client sends it again", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(1), clock });
    const client = createClient(pool.url, "own");
    await client.turn("one");
    pool.mock.faults.add({ on: "turn", gateAfter: 6 });
    const open = createClient(pool.url, "other");
    const other = open.turn("hi");
    await until("the account is full", () => received(pool) === 2);
    const second = outcomeOf(client.turn("two"));
    await waitInQueue(pool, 1);
    clock.skip(LONGEST_SLOT_WAIT_MS);
    const refused = await second;
    expect(refused).toContain(
      "every account that could serve the turn is full: alice (at its limit of 1 concurrent turn)",
    );
    expect(refused).toContain("send the turn again when another one has ended, or raise the limit with: ");
    expect(refused).toMatch(/account set .*alice --concurrency N/);
    expect(refused).toContain(_name === "HTTP" ? "status 503" : '"retry-after":"5"');
    pool.mock.faults.release();
    expect(await other).toBe("Hello from alice");
    for (const one of [client, open]) one.close();
  });

  test("a turn whose client leaves gives up its position in the queue, and a shutdown refuses the turns in the queue", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: limited(1) });
    pool.mock.faults.add({ on: "turn", gateAfter: 6 });
    const open = createClient(pool.url, "own");
    const first = outcomeOf(open.turn("hi"));
    await until("the account is full", () => received(pool) === 1);
    const leaving = _name === "HTTP" ? httpTurn(pool) : socketTurn(pool);
    await waitInQueue(pool, 1);
    leaving.leave();
    await waitInQueue(pool, 0);
    const last = createClient(pool.url, "last");
    const waiting = outcomeOf(last.turn("hi"));
    await waitInQueue(pool, 1);
    const stopping = pool.stopAndReadEvents();
    const refused = await waiting;
    expect(refused).toContain(
      "the proxy is shutting down, so the turn cannot wait for a full account: alice (at its limit of 1 concurrent turn)",
    );
    expect(refused).toContain("send the turn again");
    expect(refused).not.toContain("--concurrency");
    expect(refused).toContain(_name === "HTTP" ? "status 503" : '"retry-after":"5"');
    pool.mock.faults.release();
    expect(await first).toBe("Hello from alice");
    const ends = (await stopping).filter(({ event }) => event === "request.queue_ended");
    expect(ends.map(({ fields }) => fields?.reason)).toEqual(["client_left", "shutting_down"]);
  });
});
