import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { createIdleWatch } from "../../src/proxy/timeouts.ts";
import { HOLD_MS } from "../../src/proxy/turn/commit-barrier.ts";
import { runningTime } from "../../src/running-time.ts";
import { fakeClock, skippingClock } from "../support/clock.ts";
import { deafAddress } from "../support/deaf.ts";
import { startPool, until } from "../support/pool.ts";
import { startUpstream } from "../support/upstream.ts";

const PATH = "/backend-api/codex/responses";
const CONFIG = `[policy]\nmode = "sticky"\n`;
const TWO = [{ alias: "alice" }, { alias: "bob" }];
const OUTPUT = [
  { type: "response.created", response: { id: "r" } },
  { type: "response.output_text.delta", delta: "x" },
];
const post = (url: string) =>
  fetch(url + PATH, { method: "POST", headers: { "session-id": "s1" }, body: '{"model":"m","input":[]}' });

/** The result of a request to a backend that responds after `ms`. */
async function answeredLate(ms: number, ask: (url: string) => Promise<Response>): Promise<Response> {
  const clock = skippingClock();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  await using upstream = startUpstream(() => {
    asked.resolve();
    return answer.promise;
  });
  await using pool = await startPool({ accounts: TWO, upstream: upstream.baseUrl, config: CONFIG, clock });
  const answered = ask(pool.url);
  await asked.promise;
  clock.skip(ms);
  answer.resolve(Response.json({ late: true }));
  const response = await answered;
  return new Response(await response.text(), response);
}

describe("a connection", () => {
  test("that cannot be made ends the attempt after connect_timeout_seconds, and no account cools down", async () => {
    using deaf = await deafAddress();
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      upstream: `http://127.0.0.1:${deaf.port}/backend-api`,
      config: `[proxy]\nconnect_timeout_seconds = 1\n${CONFIG}`,
    });
    const answer = await post(pool.url);
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain("no connection within 1 s (connect_timeout_seconds)");
    expect((await pool.status()).accounts[0]?.healthy).toBe(true);
  });

  test("that is made but silent does not end at connect_timeout_seconds", async () => {
    expect(await (await answeredLate(60_000, post)).json()).toEqual({ late: true });
  });
});

describe("a response", () => {
  test("that does not begin within head_timeout_seconds is requested from another account", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: TWO, config: CONFIG, clock });
    pool.mock.faults.add({ on: "sse", account: "alice", hang: true });
    const turn = createSseClient(pool.url, "s1").turn("hello");
    await until("alice has the turn", () => pool.mock.requests.some((one) => one.point === "sse"));
    clock.skip(119_000);
    expect(pool.mock.requests.filter((one) => one.point === "sse").length).toBe(1);
    clock.skip(1_000);
    expect(await turn).toBe("Hello from bob");
  });

  for (const transport of ["sse", "websocket"] as const)
    test(`over ${transport} that falls silent before output goes to another account, if idle_timeout_seconds ends first`, async () => {
      const clock = skippingClock();
      const config = `[proxy]\nidle_timeout_seconds = 5\n${CONFIG}`;
      await using pool = await startPool({ accounts: TWO, config, clock });
      pool.mock.faults.add({ on: "turn", account: "alice", events: OUTPUT.slice(0, 1), end: "hang" });
      const client = (transport === "sse" ? createSseClient : createSocketClient)(pool.url, "s1");
      const turn = client.turn("hello");
      // Before that, a slow machine would reach head_timeout_seconds.
      await until("the proxy holds the turn's first event", () => clock.hasTimer(HOLD_MS));
      const isTurn = (point: string) => point === "sse" || point === "message";
      const bobIsAsked = () =>
        pool.mock.requests.some(({ account, point }) => account === "bob" && isTurn(point));
      // Skips nothing once alice's turn is over: on a slow machine that would end bob's turn, too.
      await until("bob has the turn", () => {
        if (clock.hasTimer(HOLD_MS) && !bobIsAsked()) clock.skip(1_000);
        return bobIsAsked();
      });
      expect(await turn).toBe("Hello from bob");
      client.close();
    });

  test("in one piece, such as a compaction or a picture, may take longer", async () => {
    const compact = (url: string) => fetch(`${url}${PATH}/compact`, { method: "POST", body: "{}" });
    expect((await answeredLate(600_000, compact)).status).toBe(200);
  });

  test("over SSE may be silent for minutes, and is cut after idle_timeout_seconds", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: TWO, config: CONFIG, clock });
    pool.mock.faults.add({ on: "sse", account: "alice", events: OUTPUT, end: "hang" });
    const answer = await post(pool.url);
    const reader = answer.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain("response.output_text.delta");
    let isOver = false;
    const next = reader?.read().then(
      () => "continued",
      () => "cut",
    );
    void next?.finally(() => {
      isOver = true;
    });
    clock.skip(15 * 60_000 - 1_000);
    await pool.status();
    expect(isOver).toBe(false);
    clock.skip(1_000);
    expect(await next).toBe("cut");
    // Whatever the cause, the session avoids that account, and no account cools down.
    expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
    expect((await pool.status()).accounts.map((account) => account.healthy)).toEqual([true, true]);
  });

  test("over WebSocket is cut in the same way, unless the backend answers pings", async () => {
    const clock = skippingClock();
    await using pool = await startPool({ accounts: TWO, config: CONFIG, clock });
    pool.mock.faults.add({ on: "message", events: OUTPUT, end: "hang" });
    const socket = new WebSocket(pool.url.replace("http", "ws") + PATH, { headers: { "session-id": "s1" } });
    await new Promise((resolve) => socket.once("open", resolve));
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    const outputs = new Promise<void>((resolve) =>
      socket.on("message", (data: Buffer) => {
        if (data.toString().includes("delta")) resolve();
      }),
    );
    socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    await outputs;
    expect((await pool.status()).accounts[0]?.in_flight).toBe(1);
    clock.skip(15 * 60_000);
    expect(await closed).toBe(1006);
    await until("the use has ended", async () => (await pool.status()).accounts[0]?.in_flight === 0);
  });
});

test("time while the process is stopped does not count towards a wait", () => {
  let uptimeMs = 0;
  const running = runningTime(() => uptimeMs);
  const fake = fakeClock();
  const clock = { ...fake, monotonic: running };
  /** Timers fire late by the time for which the process was stopped. */
  const pass = (ms: number) => {
    uptimeMs += ms;
    fake.advance(ms);
  };
  let expired = 0;
  const watch = createIdleWatch(
    clock,
    () => 10_000,
    () => expired++,
  );
  watch.begin();
  for (let second = 0; second < 5; second++) {
    pass(1_000);
    running();
  }
  uptimeMs += 3_600_000;
  fake.advance(2_000);
  expect(expired).toBe(0);
  for (let second = 0; second < 4; second++) {
    pass(1_000);
    running();
  }
  expect(expired).toBe(0);
  for (let second = 0; second < 4; second++) {
    pass(1_000);
    running();
  }
  expect(expired).toBe(1);
});

test("setting the clock back does not prolong a wait", () => {
  const clock = fakeClock();
  let expired = 0;
  const watch = createIdleWatch(
    clock,
    () => 10_000,
    () => expired++,
  );
  watch.begin();
  clock.setBack(3_600_000);
  clock.advance(10_000);
  expect(expired).toBe(1);
});

test("a wait counts from its own beginning, however many came before it", () => {
  const clock = fakeClock();
  let expired = 0;
  const watch = createIdleWatch(
    clock,
    () => 1_000,
    () => expired++,
  );
  watch.begin();
  clock.advance(900);
  watch.end();
  clock.advance(10_000);
  watch.begin();
  clock.advance(900);
  watch.begin();
  clock.advance(900);
  expect(expired).toBe(0);
  clock.advance(100);
  expect(expired).toBe(1);
  watch.begin();
  watch.stop();
  clock.advance(10_000);
  expect(expired).toBe(1);
});
