// Tests the values of the metrics against turns whose course is known.

import { describe, expect, test } from "bun:test";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import type { TagDemand } from "../../src/core/account-tags.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { limitBody, startPool, type TestPool, until } from "../support/pool.ts";
import { type ScrapedSample, samplesIn, scrape, sumOf } from "../support/scrape.ts";

const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
const LIMIT = { type: "error", status: 429, error: limitBody(RESET_S) };
const CLIENTS = { sse: createSseClient, websocket: createSocketClient } as const;

const samplesOf = async (pool: TestPool): Promise<ScrapedSample[]> =>
  samplesIn(await scrape(pool.url, pool.adminToken));

describe.each(["sse", "websocket"] as const)("turns over %s", (transport) => {
  test("are counted with their attempts, tokens and times, also if one account fails", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    pool.mock.faults.add({ on: "turn", account: "alice", events: [LIMIT] });
    const client = CLIENTS[transport](pool.url, "s1");
    await client.turn("one");
    await client.turn("two");
    client.close();
    const samples = await samplesOf(pool);
    const sum = (name: string, labels = {}) => sumOf(samples, name, labels);
    expect(sum("codexlb_turns_total")).toBe(2);
    expect(sum("codexlb_turns_total", { outcome: "completed", transport, kind: "turn" })).toBe(2);
    expect(sum("codexlb_turns_in_flight")).toBe(0);
    expect(sum("codexlb_attempts_total", { purpose: "turn", result: "limit", account: "alice" })).toBe(1);
    expect(sum("codexlb_attempts_total", { purpose: "turn", result: "served", account: "bob" })).toBe(2);
    expect(sum("codexlb_tokens_total", { type: "input", account: "bob" })).toBe(2_000);
    expect(sum("codexlb_tokens_total", { account: "alice" })).toBe(0);
    expect(sum("codexlb_turn_overhead_seconds_count", { transport })).toBe(2);
    expect(sum("codexlb_turn_first_output_seconds_count", { transport })).toBe(2);
    expect(sum("codexlb_turn_duration_seconds_bucket", { transport, le: "+Inf" })).toBe(2);
    expect(sum("codexlb_cooldowns_total", { reason: "usage-limit", account: "alice" })).toBe(1);
    expect(sum("codexlb_switches_total", { window: "daily" })).toBe(1);
    expect(sum("codexlb_account_usable", { account: "alice" })).toBe(0);
    expect(
      sum("codexlb_account_state", { account: "alice", state: "limit_reached", reason: "usage-limit" }),
    ).toBe(1);
    expect(sum("codexlb_account_quota_remaining_ratio", { account: "alice", window: "daily" })).toBe(0);
    expect(sum("codexlb_account_usable", { account: "bob" })).toBe(1);
    expect([sum("codexlb_pool_upstreams"), sum("codexlb_pool_usable_upstreams")]).toEqual([2, 1]);
    const status = transport === "sse" ? "2xx" : "1xx";
    expect(sum("codexlb_requests_total", { answered_by: "upstream", status })).toBe(
      transport === "sse" ? 2 : 1,
    );
  });

  test("are counted while usage.enabled is false", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[usage]\nenabled = false\n",
    });
    const client = CLIENTS[transport](pool.url, "s1");
    await client.turn("one");
    client.close();
    const samples = await samplesOf(pool);
    expect(sumOf(samples, "codexlb_turns_total", { outcome: "completed" })).toBe(1);
    expect(sumOf(samples, "codexlb_usage_record_enabled")).toBe(0);
  });

  test("are in flight until they end, however they end", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({
      on: "turn",
      times: 1,
      gateAfter: 1,
      events: [{ type: "response.output_text.delta", delta: "x" }],
      end: "reset",
    });
    const client = CLIENTS[transport](pool.url, "s1");
    const ended = client.turn("one").catch(() => {});
    await until(
      "the turn is in flight",
      async () => sumOf(await samplesOf(pool), "codexlb_turns_in_flight") === 1,
    );
    expect(sumOf(await samplesOf(pool), "codexlb_requests_in_flight", { account: "alice" })).toBe(1);
    // Over HTTP the reset could otherwise overtake the output, and the turn would be sent again.
    if (transport === "sse")
      await until(
        "output has arrived",
        async () => sumOf(await samplesOf(pool), "codexlb_attempts_total", { result: "served" }) === 1,
      );
    pool.mock.faults.release();
    await ended;
    client.close();
    // The client sees the end before the proxy has finished with the turn.
    await until(
      "nothing is in flight",
      async () => sumOf(await samplesOf(pool), "codexlb_requests_in_flight") === 0,
    );
    const samples = await samplesOf(pool);
    expect(sumOf(samples, "codexlb_turns_total", { outcome: "cut", transport })).toBe(1);
    expect(sumOf(samples, "codexlb_turns_in_flight")).toBe(0);
  });
});

test("a request counts as answered by an upstream only if an upstream's response is passed on", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    config: '[proxy]\nname = "p"\nclient_auth = true\n',
  });
  const keys = remoteKeys(socketDoor(pool.layout.adminSocket));
  const bearer = async (name: string, tags?: TagDemand) => ({
    authorization: `Bearer ${await keys.add(name, "client", tags)}`,
  });
  const headers = await bearer("laptop");
  const elsewhere = await bearer("elsewhere", { tags: ["no-such-tag"], only: true });
  const turn = (withKey: Record<string, string>) =>
    createSseClient(pool.url, "s1", withKey)
      .turn("hello")
      .catch(() => {});
  const answered = async () => {
    const samples = await samplesOf(pool);
    return ["upstream", "proxy"].map((answered_by) =>
      ["1xx", "2xx", "4xx", "5xx"].map((status) =>
        sumOf(samples, "codexlb_requests_total", { answered_by, status }),
      ),
    );
  };
  // The proxy answers each scrape itself, which the next scrape counts.
  await turn(headers);
  expect(await answered()).toEqual([
    [0, 1, 0, 0],
    [0, 0, 0, 0],
  ]);
  await turn(elsewhere);
  expect(await answered()).toEqual([
    [0, 1, 0, 0],
    [0, 1, 1, 0],
  ]);
  pool.mock.faults.add({ on: "turn", times: 1, answer: { status: 400, body: { detail: "invalid" } } });
  await turn(headers);
  expect(await answered()).toEqual([
    [0, 1, 1, 0],
    [0, 2, 1, 0],
  ]);
  for (const alias of ["alice", "bob"]) await pool.accounts.serve(alias, "disable");
  await turn(headers);
  await createSocketClient(pool.url, "s2", headers)
    .turn("hello")
    .catch(() => {});
  expect(await answered()).toEqual([
    [0, 1, 1, 0],
    [0, 3, 3, 0],
  ]);
});

test("a backend that cannot be reached answers no request", async () => {
  const closed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = closed;
  closed.stop(true);
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    upstream: `http://127.0.0.1:${port}/backend-api`,
  });
  await createSseClient(pool.url, "s1")
    .turn("hello")
    .catch(() => {});
  const samples = await samplesOf(pool);
  expect(sumOf(samples, "codexlb_requests_total", { answered_by: "upstream" })).toBe(0);
  expect(sumOf(samples, "codexlb_requests_total", { answered_by: "proxy", status: "5xx" })).toBe(1);
});

test("a renewed token and a change by the operator show in the metrics", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice", expiresInSeconds: 60 }, { alias: "bob" }, { alias: "carol" }],
  });
  await pool.accounts.serve("carol", "disable");
  await until(
    "the token was renewed",
    async () => sumOf(await samplesOf(pool), "codexlb_token_refreshes_total", { result: "renewed" }) === 1,
  );
  const samples = await samplesOf(pool);
  expect(sumOf(samples, "codexlb_token_refreshes_total", { result: "failed" })).toBe(0);
  expect(samples).toContainEqual({
    name: "codexlb_account_state",
    labels: { account: "carol", state: "disabled", reason: "operator" },
    value: 1,
  });
  expect(sumOf(samples, "codexlb_pool_upstreams")).toBe(2);
});

test("the metrics of a proxy in front name its child proxies, not their accounts", async () => {
  await using child = await startPool({
    accounts: [{ alias: "alice" }],
    config: '[proxy]\nname = "cellar"\n',
  });
  await using front = await startPool({
    accounts: [{ alias: "bob" }],
    config: `[proxy]\nname = "front"\nchild_proxy_urls = ["${child.url}"]\n`,
  });
  await front.accounts.serve("bob", "disable");
  await createSseClient(front.url, "s1").turn("hello");
  const samples = await samplesOf(front);
  expect(sumOf(samples, "codexlb_tokens_total", { proxy: "cellar", type: "input" })).toBe(1_000);
  expect(sumOf(samples, "codexlb_attempts_total", { proxy: "cellar", result: "served" })).toBe(1);
  expect(sumOf(samples, "codexlb_child_proxy_reachable", { proxy: "cellar" })).toBe(1);
  expect(sumOf(samples, "codexlb_child_proxy_usable", { proxy: "cellar" })).toBe(1);
  expect(samples.filter(({ labels }) => labels.account === "alice")).toEqual([]);
});

test("a scraper that asks for OpenMetrics gets it", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  await createSseClient(pool.url, "s1").turn("hello");
  const text = await scrape(
    pool.url,
    pool.adminToken,
    "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
  );
  expect(text).toContain("# TYPE codexlb_turns counter\n");
  expect(text).toMatch(/^codexlb_turns_total\{outcome="completed",transport="sse",kind="turn"\} 1$/m);
  expect(text.endsWith("# EOF\n")).toBe(true);
});

test("the metrics of an account that was removed are gone", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await createSseClient(pool.url, "s1").turn("hello");
  expect(await scrape(pool.url, pool.adminToken)).toContain('account="alice"');
  await pool.accounts.remove("alice");
  expect(await scrape(pool.url, pool.adminToken)).not.toContain("alice");
});

test("there is one value of each metric of the process and its files", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const samples = await samplesOf(pool);
  for (const name of [
    "codexlb_log_lag_seconds",
    "codexlb_log_dropped_events_total",
    "codexlb_usage_record_failing",
    "codexlb_usage_record_lag_seconds",
    "codexlb_usage_record_dropped_turns_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "codexlb_build_info",
  ])
    expect([name, samples.filter((one) => one.name === name).length]).toEqual([name, 1]);
});

test("the reset credits of an account are reported only if the backend reports them", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice", resets: 3 }, { alias: "bob" }] });
  const credits = async () =>
    (await samplesOf(pool)).filter(({ name }) => name === "codexlb_account_reset_credits");
  await until("the figures came", async () => (await credits()).length > 0);
  expect(await credits()).toMatchObject([{ labels: { account: "alice" }, value: 3 }]);
});
