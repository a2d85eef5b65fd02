// Tests how often the status of children is requested, with a clock that the test advances and a server that counts.

import { expect, test } from "bun:test";
import { createOutbound } from "../../src/network/egress.ts";
import { createChildren } from "../../src/upstream/children.ts";
import { fakeClock } from "../support/clock.ts";
import { until } from "../support/pool.ts";

function setup() {
  const clock = fakeClock();
  let asked = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      asked++;
      return Response.json({ proxy_name: "child", proxy_id: "c", accounts: [] });
    },
  });
  let urls = [`http://127.0.0.1:${server.port}`];
  const notes: string[] = [];
  const children = createChildren({
    outbound: createOutbound({ env: {} }),
    deps: { clock, random: (bytes) => new Uint8Array(bytes), log: { info: () => {}, warn: () => {} } },
    events: { append: (event) => void notes.push(event), flush: () => {} },
    urls: () => urls,
    self: () => ({ name: "front", id: "f" }),
    refreshTimeoutMs: () => 1_000,
  });
  const pool = { sync: () => {}, note: () => {} };
  return {
    clock,
    children,
    notes,
    asked: () => asked,
    start: () => children.start(pool, 60_000),
    use: (next: string[]) => {
      urls = next;
      children.sync();
    },
    [Symbol.asyncDispose]: async () => {
      children.stop();
      await server.stop(true);
    },
  };
}

test("a child's status is requested at the start and every few seconds, and at no other time", async () => {
  await using s = setup();
  await s.start();
  expect(s.asked()).toBe(1);
  s.clock.advance(2_900);
  expect(s.asked()).toBe(1);
  s.clock.advance(200);
  await until("it is asked again", () => s.asked() === 2);
  expect(s.notes).toEqual(["child_proxy.seen"]);
});

test("trouble with client requests makes the next status request earlier, but only once", async () => {
  await using s = setup();
  await s.start();
  const [child] = s.children.list();
  for (let count = 0; count < 5; count++) {
    child?.noteVerdict({ kind: "limit", untilMs: undefined });
    s.clock.advance(300);
  }
  await until("it is asked", () => s.asked() === 2);
  child?.noteVerdict({ kind: "ok" });
  expect(s.asked()).toBe(2);
});

test("an explicit request for the status returns the current one", async () => {
  await using s = setup();
  await s.start();
  await Promise.all([s.children.askAll(false), s.children.askAll(false)]);
  expect(s.asked()).toBeGreaterThan(1);
});

test("a child that is removed from the settings gets no more status requests", async () => {
  await using s = setup();
  await s.start();
  s.use([]);
  expect(s.children.list()).toEqual([]);
  s.clock.advance(60_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(s.asked()).toBe(1);
});
