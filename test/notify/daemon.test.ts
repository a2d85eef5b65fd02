// Notifications of a running proxy, with a local webhook and a script. No turn waits for them.

import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NotifyDocument } from "../../src/core/notify/message.ts";
import { SETTLE_MS } from "../../src/core/notify/pending.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { type SkippingClock, skippingClock } from "../support/clock.ts";
import { startPool, until } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

/** A local webhook. `hold`: it does not answer until `release` is called. */
function startWebhook(hold = false) {
  const received: NotifyDocument[] = [];
  const held = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      received.push((await request.json()) as NotifyDocument);
      if (hold) await held.promise;
      return new Response();
    },
  });
  return {
    received,
    url: `http://127.0.0.1:${server.port}/secret`,
    release: held.resolve,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** A script that appends the JSON that it gets to a file, and then runs `more`. */
function script(more = "") {
  const temp = tempDirectory();
  const [path, out] = [join(temp.path, "notify"), join(temp.path, "out")];
  writeFileSync(path, `#!/bin/sh\ncat >> ${out}\n${more}\n`);
  chmodSync(path, 0o755);
  return {
    path,
    received: () =>
      existsSync(out)
        ? readFileSync(out, "utf8")
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as NotifyDocument)
        : [],
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

/** Lets enough time pass for a change to be sent, but not enough for the sending to take too long. */
function settle(clock: SkippingClock): void {
  for (let passed = 0; passed < SETTLE_MS + 2 * SECOND; passed += SECOND) clock.skip(SECOND);
}

const configWith = (notify: string) =>
  `[proxy]\nname = "laptop"\n[policy]\nmode = "sticky"\n[notify]\n${notify}\n`;

test("an account that reaches its limit, and is back after its reset, is sent once by script and webhook", async () => {
  const clock = skippingClock();
  await using webhook = startWebhook();
  using tool = script();
  await using pool = await startPool({
    clock,
    accounts: [{ alias: "alice", turns: 2 }, { alias: "bob" }],
    config: configWith(`command = ["${tool.path}"]\nwebhook = "${webhook.url}"\npool_below = 0`),
  });
  const client = createSseClient(pool.url, "s");
  for (let turn = 0; turn < 3; turn++) await client.turn("hello");
  const kinds = (documents: readonly NotifyDocument[]) =>
    documents.map(({ notices }) => notices.map(({ kind, account }) => `${kind} ${account}`));
  /** Waits until both channels have reported that alice is exhausted, or back. */
  const arrived = async (present: boolean) => {
    settle(clock);
    await until("both messages are sent", () => {
      if (!existsSync(pool.layout.notify)) return false;
      const { ways } = JSON.parse(readFileSync(pool.layout.notify, "utf8"));
      return [ways.command, ways.webhook].every(
        (channel) => channel?.reported["account_exhausted:openai:alice"]?.present === present,
      );
    });
  };
  await arrived(true);
  expect(kinds(webhook.received)).toEqual([["account_exhausted alice"]]);
  expect(webhook.received[0]).toMatchObject({ kind: "account_exhausted", proxy: "laptop" });
  expect(webhook.received[0]?.text).toMatch(/^alice: 5-hour limit reached, back at /);
  const [byScript, byWebhook] = [tool.received(), webhook.received];
  expect(byScript.map(({ notices }) => notices)).toEqual(byWebhook.map(({ notices }) => notices));
  clock.skip(6 * HOUR);
  await arrived(false);
  settle(clock);
  expect(kinds(webhook.received)).toEqual([["account_exhausted alice"], ["account_back alice"]]);
  expect(kinds(tool.received())).toEqual([["account_exhausted alice"], ["account_back alice"]]);
  const log = JSON.stringify(await pool.stopAndReadEvents());
  expect(log).toContain("notify.sent");
  expect(log).not.toContain(webhook.url);
});

test("a webhook and a command that hang delay no turn, and no shutdown for long", async () => {
  const clock = skippingClock();
  await using webhook = startWebhook(true);
  using tool = script("exec sleep 1000");
  await using pool = await startPool({
    clock,
    accounts: [{ alias: "alice", turns: 1 }, { alias: "bob" }],
    config: configWith(`command = ["${tool.path}"]\nwebhook = "${webhook.url}"`),
  });
  const client = createSseClient(pool.url, "s");
  for (let turn = 0; turn < 2; turn++) await client.turn("hello");
  settle(clock);
  await until("both channels hang", () => webhook.received.length > 0 && tool.received().length > 0);
  for (let turn = 0; turn < 5; turn++) await client.turn("hello");
  expect(pool.mock.requests.filter(({ path }) => path.endsWith("/responses")).length).toBeGreaterThanOrEqual(
    7,
  );
  const events = await pool.stopAndReadEvents();
  expect(events.some(({ event }) => event === "notify.sent")).toBe(false);
});

test("a run that reports a bypass causes one notification", async () => {
  const clock = skippingClock();
  await using webhook = startWebhook();
  await using pool = await startPool({
    clock,
    accounts: [{ alias: "alice" }],
    config: configWith(`webhook = "${webhook.url}"`),
  });
  const report = (method: string) => fetch(`${pool.url}/@0123456789abcdef/run`, { method });
  expect(await (await report("GET")).json()).toEqual({ requests: 0, turns: 0 });
  expect(await (await report("POST")).json()).toEqual({ requests: 0, turns: 0 });
  await report("POST");
  settle(clock);
  await until("the message has arrived", () => webhook.received.length > 0);
  expect(webhook.received.map(({ kind }) => kind)).toEqual(["codex_bypassed"]);
  const bypasses = (await pool.stopAndReadEvents()).filter(({ event }) => event === "run.bypassed");
  expect(bypasses).toHaveLength(1);
});
