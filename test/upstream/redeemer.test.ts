// Spending reset credits through a running proxy, over the simulated backend.

import { describe, expect, test } from "bun:test";
import { apiKeyFile } from "../../src/auth/api-key-file.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { readTextIfPresent } from "../../src/state/atomic-file.ts";
import { runCli } from "../support/cli.ts";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool, type TestPoolOptions, until } from "../support/pool.ts";

const QUICK = '[proxy]\nusage_timeout_ms = 250\n[policy]\nmode = "sticky"\n';

/** A proxy with one account whose short window is exhausted. */
async function startExhausted(resets: number | undefined, options: Partial<TestPoolOptions> = {}) {
  const pool = await startPool({
    accounts: [{ alias: "alice", turns: 1, ...(resets === undefined ? {} : { resets }) }],
    ...options,
  });
  await createSseClient(pool.url, "s").turn("hi");
  expect((await turn(pool)).status).toBe(429);
  return pool;
}

const turn = ({ url }: TestPool) =>
  fetch(`${url}/backend-api/codex/responses`, { method: "POST", body: '{"model":"m","input":[]}' });

const sentIds = ({ mock }: TestPool) =>
  mock.requests
    .filter(({ point }) => point === "redeem")
    .map(({ json }) => (json as { redeem_request_id: string }).redeem_request_id);

const storedRedemption = ({ layout }: TestPool) =>
  JSON.parse(readTextIfPresent(layout.store) ?? "").accounts[0].codexlb.redemption;

const creditsIn = ({ mock }: TestPool) => mock.accounts.byAlias("alice").resets?.length;

describe("a reset credit", () => {
  test("resets the account, which serves the next turn, and is recorded", async () => {
    await using pool = await startExhausted(2);
    expect(await pool.accounts.checkRedeem("alice")).toEqual({
      alias: "alice",
      unfinishedSinceMs: undefined,
    });
    expect(creditsIn(pool)).toBe(2);
    expect(await pool.accounts.redeem("alice")).toEqual({
      alias: "alice",
      repeated: false,
      windowsReset: 2,
      creditsLeft: 1,
      problem: undefined,
    });
    expect((await pool.status()).accounts[0]).toMatchObject({ healthy: true, daily_left_pct: 100 });
    expect((await turn(pool)).status).toBe(200);
    const events = await pool.stopAndReadEvents();
    const spent = events.filter(({ event }) => event === "account.redeemed");
    expect(spent.map(({ fields }) => fields)).toEqual([
      expect.objectContaining({
        account_id: "openai:alice",
        by: "command",
        outcome: "reset",
        windows_reset: 2,
        credits_left: 1,
      }),
    ]);
    // The credit that expires first was spent.
    const [request] = pool.mock.requests.filter(({ point }) => point === "redeem");
    expect(request?.json).toEqual({
      redeem_request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      credit_id: "RateLimitResetCredit_alice_1",
    });
  });

  test("is spent once if the response is lost, and the request is repeated with the same id", async () => {
    await using pool = await startExhausted(2, { config: QUICK });
    pool.mock.faults.add({ on: "redeem", times: 1, delayMs: 400 });
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({ code: "redeem_uncertain" }),
    );
    const [id] = sentIds(pool);
    expect(storedRedemption(pool)).toMatchObject({ requestId: id, creditId: "RateLimitResetCredit_alice_1" });
    await until("the backend has spent it", () => creditsIn(pool) === 1);
    expect((await pool.accounts.checkRedeem("alice")).unfinishedSinceMs).toBeNumber();
    expect(await pool.accounts.redeem("alice")).toMatchObject({ repeated: true, creditsLeft: 1 });
    expect(sentIds(pool)).toEqual([id, id] as string[]);
    expect(storedRedemption(pool)).toBeUndefined();
    expect((await turn(pool)).status).toBe(200);
  });

  test("is spent once by a command without a proxy that repeats an unfinished request", async () => {
    await using pool = await startExhausted(2, {
      config: QUICK,
      upstreamFlag: false,
      prepare: (layout, mock) =>
        void Bun.write(
          layout.config,
          `${QUICK.replace("[policy]", `upstream_base_url = "${mock.baseUrl}"\n[policy]`)}`,
        ),
    });
    pool.mock.faults.add({ on: "redeem", times: 1, reset: true });
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({ code: "redeem_uncertain" }),
    );
    await pool.daemon.stop("test");
    const cli = (...words: string[]) =>
      runCli(["account", "redeem", "--root", pool.layout.root, ...words], {
        cwd: pool.layout.root,
        env: { CODEXLB_TOKEN_URL: pool.mock.tokenUrl },
      });
    expect(await cli("--yes", "alice")).toEqual({
      code: 0,
      out: "reset the limits of account alice (1 reset credit left)\n",
      err: "",
    });
    const [first, second] = sentIds(pool);
    expect(second).toBe(first as string);
    expect(storedRedemption(pool)).toBeUndefined();
    const again = await cli("--yes", "alice");
    expect(again).toMatchObject({ code: 1, out: "" });
    expect(again.err).toStartWith(
      "codexlb: spending a reset credit of alice: its limits are unused, so there is nothing to reset\n",
    );
    expect(creditsIn(pool)).toBe(1);
    const unasked = await cli("alice");
    expect(unasked).toMatchObject({ code: 2, out: "" });
    expect(unasked.err).toContain("asks for confirmation, which needs a terminal");
  });

  test("is spent once if two commands ask for it at the same time", async () => {
    await using pool = await startExhausted(2);
    pool.mock.faults.add({ on: "redeem", times: 1, delayMs: 100 });
    const ends = await Promise.allSettled([pool.accounts.redeem("alice"), pool.accounts.redeem("alice")]);
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(creditsIn(pool)).toBe(1);
  });

  test("has an unknown outcome if the backend returns a code that Codex does not know", async () => {
    await using pool = await startExhausted(1);
    pool.mock.faults.add({ on: "redeem", times: 1, answer: { status: 200, body: { code: "later" } } });
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({ code: "redeem_uncertain" }),
    );
    expect(storedRedemption(pool)).toMatchObject({ requestId: sentIds(pool)[0] });
    expect(await pool.accounts.redeem("alice")).toMatchObject({ repeated: false });
    expect(new Set(sentIds(pool)).size).toBe(1);
  });

  test("is kept if the backend refuses the request", async () => {
    await using pool = await startExhausted(1);
    pool.mock.faults.add({ on: "redeem", times: 1, answer: { status: 403 } });
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({
        code: "redeem_refused",
        message: expect.stringContaining("the backend returned 403; none was spent"),
      }),
    );
    expect(storedRedemption(pool)).toBeUndefined();
    expect((await pool.status()).accounts[0]).toMatchObject({ enabled: true });
    expect(await pool.accounts.redeem("alice")).toMatchObject({ repeated: false, creditsLeft: 0 });
  });
});

describe("no reset credit is spent", () => {
  test.each([
    ["the account has none", 0, "it has none"],
    ["the backend does not report any", undefined, "could not be read (the backend returned 404)"],
  ] as const)("if %s", async (_case, resets, why) => {
    await using pool = await startExhausted(resets);
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({
        code: "redeem_refused",
        message: expect.stringContaining(why),
      }),
    );
    expect(sentIds(pool)).toEqual([]);
  });

  test("if the account uses an API key", async () => {
    const apiKey = "sk-test-0123456789";
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "openai", apiKey }] });
    const auth = apiKeyFile({ key: apiKey, baseUrl: pool.mock.apiUrl });
    await pool.accounts.import("openai", { auth, config: undefined, replace: false });
    const refusal = {
      code: "redeem_refused",
      message: "spending a reset credit of openai: it uses an API key, which has no reset credits",
      next: "name a ChatGPT account",
    };
    expect(await outcome(pool.accounts.checkRedeem("openai"))).toThrow(expect.objectContaining(refusal));
    expect(await outcome(pool.accounts.redeem("openai"))).toThrow(expect.objectContaining(refusal));
  });

  test("if the limits are unused, or the account is out of service", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice", resets: 1 }] });
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("nothing to reset"),
      }),
    );
    await pool.accounts.serve("alice", "disable");
    expect(await outcome(pool.accounts.redeem("alice"))).toThrow(
      expect.objectContaining({
        message: "spending a reset credit of alice: it is disabled by you",
        next: expect.stringContaining("codexlb account enable alice"),
      }),
    );
    expect(await outcome(pool.accounts.redeem("bob"))).toThrow(
      expect.objectContaining({ code: "account_not_found" }),
    );
    expect(sentIds(pool)).toEqual([]);
  });
});
