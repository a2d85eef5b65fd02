// Tests which account serves which model, over both transports and through a whole proxy: windows by length, limits of
// single models, credits, and workspace restrictions.

import { describe, expect, test } from "bun:test";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import { createSocketClient, createSseClient, type TurnClient } from "../../src/mock/client.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const TRANSPORTS = [
  ["HTTP", createSseClient],
  ["WebSocket", createSocketClient],
] as const;
const SPARK = { model: "gpt-spark", feature: "codex_bengalfox" };

/** A proxy that has polled every account. */
async function polled(accounts: readonly MockAccountOptions[], config = ""): Promise<TestPool> {
  const pool = await startPool({ accounts, config: `[policy]\nmode = "sticky"\n${config}` });
  await until(
    "every account was polled",
    () => pool.mock.requests.filter(({ point }) => point === "usage").length >= accounts.length,
  );
  await until("the figures are known", async () =>
    (await statusOf(pool)).accounts.every(
      ({ figures, credits }) => figures.length > 0 || credits !== undefined,
    ),
  );
  return pool;
}

interface Account {
  readonly alias: string;
  readonly daily_left_pct: number;
  readonly weekly_left_pct: number;
  readonly monthly_left_pct?: number;
  readonly windows?: readonly string[];
  readonly score: number;
  readonly healthy: boolean;
  readonly credits?: { readonly has_credits: boolean; readonly balance: number; readonly usable: boolean };
  readonly figures: readonly unknown[];
  readonly additional_limits?: readonly {
    readonly limit_id: string;
    readonly cooldown_seconds?: number;
    readonly primary_left_pct: number;
  }[];
}

async function statusOf({ url }: TestPool): Promise<{ accounts: readonly Account[] }> {
  return (await (await fetch(`${url}/status`)).json()) as { accounts: readonly Account[] };
}

async function accountOf(pool: TestPool, alias: string): Promise<Account> {
  const account = (await statusOf(pool)).accounts.find((one) => one.alias === alias);
  if (account === undefined) throw new Error(`no account ${alias}`);
  return account;
}

/** The alias of the account that served, or the error. */
async function served(client: TurnClient, model?: string): Promise<string> {
  try {
    return (await client.turn("hi", model)).replace("Hello from ", "");
  } catch (error) {
    return String(error);
  }
}

const usage = async ({ url }: TestPool): Promise<Record<string, unknown>> =>
  (await (await fetch(`${url}/backend-api/wham/usage`)).json()) as Record<string, unknown>;

/** The number of turns of `alias` at the backend. */
const asked = (pool: TestPool, alias: string) =>
  pool.mock.requests.filter(
    ({ point, account }) => (point === "sse" || point === "message" || point === "turn") && account === alias,
  ).length;

describe("an account with one weekly window", () => {
  test("has a weekly window and no other in every output", async () => {
    await using pool = await polled([{ alias: "alice", windows: ["weekly"], turns: 10 }]);
    expect(await served(createSseClient(pool.url, "s"))).toBe("alice");
    const account = await accountOf(pool, "alice");
    expect(account).toMatchObject({ daily_left_pct: -1, weekly_left_pct: 90, windows: ["weekly"] });
    expect(account.score).toBeCloseTo(0.9);
    expect(account.monthly_left_pct).toBeUndefined();
    const week = { used_percent: 10, limit_window_seconds: 604_800 };
    expect(await usage(pool)).toMatchObject({
      rate_limit: { primary_window: week, secondary_window: null },
    });
    const reply = await fetch(`${pool.url}/backend-api/codex/responses`, {
      method: "POST",
      body: JSON.stringify({ model: "demo", input: [], stream: true }),
    });
    await reply.text();
    expect(reply.headers.get("x-codex-primary-window-minutes")).toBe("10080");
    expect([...reply.headers.keys()].filter((name) => name.startsWith("x-codex-secondary"))).toEqual([]);
  });

  test("is not averaged into the short windows of others", async () => {
    await using pool = await polled([
      { alias: "alice", windows: ["weekly"], turns: 2 },
      { alias: "bob", turns: 10 },
    ]);
    expect(await served(createSseClient(pool.url, "s"))).toBe("alice");
    expect(await usage(pool)).toMatchObject({
      rate_limit: {
        primary_window: { used_percent: 0, limit_window_seconds: 18_000 },
        secondary_window: { used_percent: 25, limit_window_seconds: 604_800 },
      },
    });
  });

  test("cools down until the end of the week after a usage limit", async () => {
    await using pool = await polled([{ alias: "alice", windows: ["weekly"], turns: 1 }]);
    const client = createSseClient(pool.url, "s");
    expect(await served(client)).toBe("alice");
    expect(await served(client)).toContain("usage_limit_reached");
    const { accounts } = await pool.status();
    const left = accounts.find(({ alias }) => alias === "alice")?.cooldown_seconds ?? 0;
    expect(left).toBeGreaterThan(6 * 86_400);
  });
});

test("a monthly window has its own fields, and an account without windows has the best score", async () => {
  await using pool = await polled([
    { alias: "alice", windows: ["monthly"], turns: 4 },
    { alias: "bob", windows: [], credits: "unlimited" },
  ]);
  expect(await served(createSseClient(pool.url, "s"))).toBe("alice");
  expect(await accountOf(pool, "alice")).toMatchObject({
    daily_left_pct: -1,
    weekly_left_pct: -1,
    monthly_left_pct: 75,
    windows: ["monthly"],
    score: 0.75,
  });
  expect(await accountOf(pool, "bob")).toMatchObject({ windows: [], score: 1 });
});

for (const [transport, connect] of TRANSPORTS) {
  describe(`over ${transport}, a limit of one model`, () => {
    const accounts: MockAccountOptions[] = [
      { alias: "alice", meters: [{ ...SPARK, turns: 1 }] },
      { alias: "bob", meters: [{ ...SPARK, turns: 100 }] },
    ];

    test("stops only the turns of that model when it is exhausted", async () => {
      await using pool = await polled(accounts);
      expect(await served(connect(pool.url, "a"), SPARK.model)).toBe("alice");
      expect(await served(connect(pool.url, "b"), SPARK.model)).toBe("bob");
      const before = asked(pool, "alice");
      expect(await served(connect(pool.url, "c"), SPARK.model)).toBe("bob");
      expect(asked(pool, "alice")).toBe(before);
      expect(await served(connect(pool.url, "d"))).not.toContain("Error");
      const alice = await accountOf(pool, "alice");
      expect(alice).toMatchObject({ healthy: true, additional_limits: [{ primary_left_pct: 0 }] });
      await pool.accounts.pin("alice");
      expect(await served(connect(pool.url, "e"))).toBe("alice");
    });

    test("is the only one that counts for that model", async () => {
      await using pool = await polled([{ alias: "alice", turns: 1, meters: [{ ...SPARK, turns: 5 }] }]);
      const [main, spark] = [connect(pool.url, "a"), connect(pool.url, "b")];
      expect(await served(main)).toBe("alice");
      expect(await served(spark, SPARK.model)).toBe("alice");
      expect(await served(main)).toContain("usage_limit_reached");
      expect((await accountOf(pool, "alice")).healthy).toBe(false);
      expect(await served(spark, SPARK.model)).toBe("alice");
    });

    test("is learned from a refusal if nothing else names the models that it meters", async () => {
      const meters = [{ model: "gpt-nameless", feature: "codex_walrus", turns: 1 }];
      await using pool = await polled([{ alias: "alice", meters }, { alias: "bob" }]);
      const refusal = {
        status: 429,
        headers: { "x-codex-active-limit": "codex_walrus" },
        body: { error: { type: "usage_limit_reached", message: "x" } },
      };
      pool.mock.faults.add({ on: "turn", account: "alice", times: 1, answer: refusal });
      expect(await served(connect(pool.url, "a"), "gpt-odd")).toBe("bob");
      const alice = await accountOf(pool, "alice");
      expect(alice.healthy).toBe(true);
      expect(alice.additional_limits?.[0]?.cooldown_seconds).toBeGreaterThan(0);
      const before = asked(pool, "alice");
      expect(await served(connect(pool.url, "b"), "gpt-odd")).toBe("bob");
      expect(asked(pool, "alice")).toBe(before);
      await pool.accounts.pin("alice");
      expect(await served(connect(pool.url, "c"))).toBe("alice");
    });
  });

  describe(`over ${transport}, an account with credits`, () => {
    test("spends them when all ordinary quota is exhausted", async () => {
      await using pool = await polled([
        { alias: "alice", turns: 1, credits: 2 },
        { alias: "bob", turns: 1 },
      ]);
      const turns: string[] = [];
      for (let turn = 0; turn < 5; turn++) turns.push(await served(connect(pool.url, `s${turn}`)));
      expect(turns.slice(0, 4)).toEqual(["alice", "bob", "alice", "alice"]);
      expect(turns[4]).toContain("usage_limit_reached");
      expect(pool.mock.accounts.byAlias("alice").credits).toBe(0);
    });

    test("is not reported to Codex as exhausted, and the pool's credits are", async () => {
      await using pool = await polled([
        { alias: "alice", turns: 1, credits: 8 },
        { alias: "bob", turns: 1, credits: 0.5 },
      ]);
      for (const session of ["a", "b", "c"]) await served(connect(pool.url, session));
      const { rate_limit, credits } = await usage(pool);
      expect(rate_limit).toMatchObject({ allowed: true, limit_reached: false });
      expect(credits).toMatchObject({ has_credits: true, unlimited: false });
      expect((await accountOf(pool, "alice")).credits).toMatchObject({ has_credits: true, usable: true });
    });

    test("is not used when policy.use_credits is false", async () => {
      await using pool = await polled([{ alias: "alice", turns: 1, credits: 5 }], "use_credits = false\n");
      expect(await served(connect(pool.url, "a"))).toBe("alice");
      expect(await served(connect(pool.url, "b"))).toContain("usage_limit_reached");
      expect(pool.mock.accounts.byAlias("alice").credits).toBe(5);
      expect(await usage(pool)).toMatchObject({
        rate_limit: { allowed: false },
        credits: { has_credits: false },
      });
    });
  });

  test(`over ${transport}, unwanted credits are not spent, not even on an open connection`, async () => {
    await using pool = await polled([{ alias: "alice", turns: 1, credits: 5 }], "use_credits = false\n");
    const client = connect(pool.url, "a");
    expect(await served(client)).toBe("alice");
    for (let turn = 0; turn < 2; turn++) expect(await served(client)).toContain("usage_limit_reached");
    expect(pool.mock.accounts.byAlias("alice").credits).toBe(5);
    expect(asked(pool, "alice")).toBe(1);
  });

  test(`over ${transport}, a member's limit keeps the account out until its reset`, async () => {
    await using pool = await polled([{ alias: "alice", memberTurns: 1 }, { alias: "bob" }]);
    expect(await served(connect(pool.url, "a"))).toBe("alice");
    expect(await served(connect(pool.url, "b"))).toBe("bob");
    expect(await served(connect(pool.url, "c"))).toBe("bob");
    const alice = (await pool.status()).accounts.find((one) => one.alias === "alice");
    expect(alice).toMatchObject({ healthy: false, cooldown_reason: "usage-limit" });
    expect(alice?.cooldown_seconds).toBeGreaterThan(4 * 3_600);
  });
}

test("a handshake is sent to HTTP if only the main limit is exhausted, because it names no model", async () => {
  await using pool = await polled([{ alias: "alice", turns: 1, meters: [{ ...SPARK, turns: 5 }] }]);
  expect(await served(createSseClient(pool.url, "a"))).toBe("alice");
  expect(await served(createSseClient(pool.url, "a"))).toContain("usage_limit_reached");
  expect(await served(createSocketClient(pool.url, "b"), SPARK.model)).toContain("426");
  expect(await served(createSseClient(pool.url, "b"), SPARK.model)).toBe("alice");
});

describe("an explanation for a model", () => {
  test("names the limit that counts, and the accounts that have exhausted it", async () => {
    await using pool = await polled([
      { alias: "alice", meters: [{ ...SPARK, turns: 1 }] },
      { alias: "bob", meters: [{ ...SPARK, turns: 9 }] },
    ]);
    await served(createSseClient(pool.url, "a"), SPARK.model);
    await served(createSseClient(pool.url, "b"), SPARK.model);
    const explain = async (query: string) => {
      const headers = { authorization: `Bearer ${pool.adminToken}` };
      const reply = await fetch(`${pool.url}/admin/explain${query}`, { headers });
      return (await reply.json()) as {
        chosen: string;
        accounts: { alias: string; tier: string; limit?: string; why: string }[];
      };
    };
    const spark = await explain(`?model=${SPARK.model}`);
    expect(spark.chosen).toBe("bob");
    const alice = spark.accounts.find((one) => one.alias === "alice");
    expect(alice).toMatchObject({
      tier: "exhausted",
      limit: SPARK.model,
      why: "exhausted according to its figures; bob is not",
    });
    const plain = await explain("");
    expect(plain.accounts.map(({ tier }) => tier)).toEqual(["ready", "ready"]);
  });
});
