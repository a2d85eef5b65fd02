// Anchoring with a proxy and the simulated backend. The clock jumps from one step of the anchorer to the next.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { timeText } from "../../src/core/anchor/anchor-times.ts";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { systemDeps } from "../../src/deps.ts";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import type { Layout } from "../../src/state/layout.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";
import { type SkippingClock, skippingClock } from "../support/clock.ts";
import { startPool, type TestPool, type TestPoolOptions, until } from "../support/pool.ts";

const STEP_MS = 12_000;
const MODEL = "gpt-small";

/** The config with a time that has just passed. */
function config(more = "", clock: Pick<SkippingClock, "now"> = { now: Date.now }): string {
  const date = new Date(clock.now() - 60_000);
  const at = timeText({ hours: date.getHours(), minutes: date.getMinutes() });
  return `[policy]\nmode = "sticky"\n[anchor]\nenabled = true\nat = ["${at}"]\nstagger = false\nmodel = "${MODEL}"\n${more}`;
}

interface AnchoringPool {
  readonly pool: TestPool;
  readonly clock: SkippingClock;
  /** Lets `count` steps of the anchorer pass. */
  steps(count: number): Promise<void>;
  /** The accounts that anchor turns were sent on. */
  anchored(): (string | undefined)[];
}

async function start(
  accounts: readonly (Partial<MockAccountOptions> & { readonly alias: string })[],
  options: Partial<TestPoolOptions> = {},
): Promise<AnchoringPool> {
  const clock = skippingClock();
  const pool = await startPool({
    accounts: accounts.map((account) => ({ idle: true, ...account })),
    config: config(),
    clock,
    ...options,
  });
  return {
    pool,
    clock,
    steps: async (count) => {
      for (let step = 0; step < count; step++) {
        await until("the anchorer waits", () => clock.hasTimer(STEP_MS));
        clock.skip(STEP_MS);
      }
      await until("the anchorer waits", () => clock.hasTimer(STEP_MS));
    },
    anchored: () =>
      pool.mock.requests
        .filter(({ point, json }) => point === "sse" && (json as { model?: string }).model === MODEL)
        .map(({ account }) => account),
  };
}

/** Lets the anchorer take steps until it has sent a turn, and then until it waits again. */
async function untilAnchored({ clock, anchored, pool }: AnchoringPool, count: number): Promise<void> {
  await until(`${count} accounts are anchored`, () => {
    if (anchored().length >= count) return true;
    if (clock.hasTimer(STEP_MS)) clock.skip(STEP_MS);
    return false;
  });
  await until("the turn has ended", () => pool.daemon.inFlight() === 0);
}

test("accounts are anchored one after another, once, with the turn of a client's path", async () => {
  const anchoring = await start([{ alias: "alice" }, { alias: "bob" }]);
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 2);
  await anchoring.steps(20);
  expect(anchoring.anchored()).toEqual(["alice", "bob"]);
  const turn = pool.mock.requests.find(({ point }) => point === "sse");
  expect(turn?.path).toBe("/backend-api/codex/responses");
  expect(turn?.json).toMatchObject({ model: MODEL, stream: true, store: false });
  for (const alias of ["alice", "bob"])
    expect(pool.mock.accounts.byAlias(alias)).toMatchObject({ used: 1, hasBegun: true });
  // A turn of the proxy is no message of the account, and does not make it the active one.
  const status = await pool.status();
  expect(status).toMatchObject({ anchor: { turns: 2, tokens: 2100 } });
  expect(status.state.message_counter).toBe(0);
  expect(status.accounts.some(({ active }) => active)).toBe(false);
  const events = await pool.stopAndReadEvents();
  expect(events.filter(({ event }) => event === "anchor.sent").map(({ fields }) => fields)).toEqual([
    { account_id: "openai:alice", tokens: 1050, duration_ms: expect.any(Number) },
    { account_id: "openai:bob", tokens: 1050, duration_ms: expect.any(Number) },
  ]);
});

test("the turn is in the record of usage, with its own kind and session", async () => {
  const anchoring = await start([{ alias: "alice" }]);
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  await pool.stopAndReadEvents();
  const database = openUsageFile(pool.layout.usage);
  const turns = database
    .query("SELECT kind, session, outcome, account, choice, input_tokens FROM turns")
    .all();
  database.close();
  expect(turns).toEqual([
    {
      kind: "anchor",
      session: "anchor",
      outcome: "completed",
      account: "alice",
      choice: "anchor",
      input_tokens: 1000,
    },
  ]);
});

test("an account whose window has begun is left alone", async () => {
  const anchoring = await start([{ alias: "alice", idle: false }, { alias: "bob" }]);
  await using _pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  await anchoring.steps(10);
  expect(anchoring.anchored()).toEqual(["bob"]);
});

test("a failure is logged, the account is judged as after any turn, and nothing is sent again for this time", async () => {
  const anchoring = await start([{ alias: "alice" }], {
    prepare: (_layout, mock) =>
      mock.faults.add({
        on: "turn",
        answer: { status: 400, body: { error: { code: "model_not_found", message: "no such model" } } },
      }),
  });
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  await anchoring.steps(20);
  expect(anchoring.anchored()).toEqual(["alice"]);
  expect((await pool.status()).accounts[0]?.healthy).toBe(true);
  const events = await pool.stopAndReadEvents();
  expect(
    events.filter(({ event }) => event.startsWith("anchor.")).map(({ event, fields }) => [event, fields]),
  ).toEqual([["anchor.failed", { account_id: "openai:alice", error: "failed: model_not_found" }]]);
});

test("a refused token is renewed as for any turn", async () => {
  const anchoring = await start([{ alias: "alice" }], {
    prepare: (_layout, mock) => mock.faults.add({ on: "turn", times: 1, answer: { status: 401 } }),
  });
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 2);
  const events = (await pool.stopAndReadEvents()).map(({ event }) => event);
  expect(events).toContain("account.auth_refreshed");
  expect(events).toContain("anchor.sent");
});

test("a limit cools the account down, and no other account gets its turn", async () => {
  const anchoring = await start([{ alias: "alice" }, { alias: "bob", idle: false }], {
    prepare: (_layout, mock) =>
      mock.faults.add({
        on: "turn",
        account: "alice",
        answer: {
          status: 429,
          body: { error: { type: "usage_limit_reached", message: "limit", resets_in_seconds: 600 } },
        },
      }),
  });
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  await until("alice cools down", async () =>
    (await pool.status()).accounts.some(({ alias, healthy }) => alias === "alice" && !healthy),
  );
  expect(anchoring.anchored()).toEqual(["alice"]);
});

test("a turn that meets a limit is not held until the reset", async () => {
  const anchoring = await start([{ alias: "alice" }], {
    config: `${config()}[proxy]\nwait_for_reset = "1h"\n`,
    prepare: (_layout, mock) =>
      mock.faults.add({
        on: "turn",
        answer: {
          status: 429,
          body: { error: { type: "usage_limit_reached", message: "limit", resets_in_seconds: 600 } },
        },
      }),
  });
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  // A turn that is held would keep the anchorer from its next step.
  await anchoring.steps(2);
  expect(await pool.status()).not.toHaveProperty("waiting");
});

test("a restart sends no turn again, because the count is on disk before the turn is sent", async () => {
  const anchoring = await start([{ alias: "alice" }], {
    // The window still has not begun after the failure.
    prepare: (_layout, mock) => mock.faults.add({ on: "turn", answer: { status: 503 } }),
  });
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  expect(anchorsIn(pool.layout)).toMatchObject({ turns: 1 });
  await pool.stopAndReadEvents();
  const { clock } = anchoring;
  const deps = {
    ...systemDeps(),
    clock,
    env: { CODEXLB_TOKEN_URL: pool.mock.tokenUrl },
    log: { info: () => {}, warn: () => {} },
  };
  const next = await startDaemon(pool.layout, { listen: "127.0.0.1:0", upstream: pool.mock.baseUrl }, deps);
  try {
    await anchoring.steps(30);
    expect(anchoring.anchored()).toEqual(["alice"]);
  } finally {
    await next.stop("test");
  }
});

test("a proxy that requires keys of its clients needs none for its own turns", async () => {
  const anchoring = await start([{ alias: "alice" }], { config: `${config()}[proxy]\nclient_auth = true\n` });
  await using pool = anchoring.pool;
  await untilAnchored(anchoring, 1);
  const events = await pool.stopAndReadEvents();
  expect(events.map(({ event }) => event)).toContain("anchor.sent");
});

test("settings are read again while the proxy runs", async () => {
  const anchoring = await start([{ alias: "alice" }], { config: '[policy]\nmode = "sticky"\n' });
  await using pool = anchoring.pool;
  await anchoring.steps(20);
  expect(anchoring.anchored()).toEqual([]);
  await Bun.write(pool.layout.config, config("", anchoring.clock));
  pool.daemon.reload();
  await untilAnchored(anchoring, 1);
  expect(anchoring.anchored()).toEqual(["alice"]);
});

test("a proxy does not anchor the accounts of its child proxies", async () => {
  const child = await start([{ alias: "alice" }], { config: '[policy]\nmode = "sticky"\n' });
  await using childPool = child.pool;
  const parent = await start([{ alias: "bob" }], {
    config: `${config()}[proxy]\nchild_proxy_urls = ["${childPool.url}"]\n`,
  });
  await using _parentPool = parent.pool;
  await untilAnchored(parent, 1);
  await parent.steps(20);
  expect(parent.anchored()).toEqual(["bob"]);
  expect(child.anchored()).toEqual([]);
});

function anchorsIn({ store }: Layout): unknown {
  const { accounts } = JSON.parse(readFileSync(store, "utf8")) as {
    accounts: { codexlb: { anchors?: unknown } }[];
  };
  return accounts[0]?.codexlb.anchors;
}
