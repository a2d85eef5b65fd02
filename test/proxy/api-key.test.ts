// An account with an API key over both transports: it serves when no other account can, until its monthly cap is
// reached, and it gets only what the API takes.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { zstdCompressSync } from "node:zlib";
import { apiKeyFile } from "../../src/auth/api-key-file.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { takeTurn } from "../faults/codex-like.ts";
import { runCli } from "../support/cli.ts";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const KEY = "sk-test-0123456789";
const ACCOUNTS = [
  { alias: "alice", turns: 2 },
  { alias: "openai", apiKey: KEY },
];
const EXHAUSTED = [
  { alias: "alice", turns: 0 },
  { alias: "openai", apiKey: KEY },
];
/** A turn of the simulated backend: 1,000 input tokens, 800 of them cached, and 50 output tokens. */
const TURN_USD = (200 * 10 + 800 * 1 + 50 * 100) / 1e6;
const PRICE = '[prices."gpt-test"]\ninput = 10\ncached_input = 1\noutput = 100\n';

async function addKey(pool: TestPool, monthlyCap: number): Promise<void> {
  const auth = apiKeyFile({ key: KEY, baseUrl: pool.mock.apiUrl });
  await pool.accounts.import("openai", { auth, config: undefined, replace: false });
  await pool.accounts.set("openai", { options: { monthlyCap } });
}

async function apiKeyOf(pool: TestPool) {
  const { accounts } = (await pool.status()) as unknown as {
    accounts: { alias: string; api_key?: { spent_usd: number; cap_usd?: number } }[];
  };
  return accounts.find(({ alias }) => alias === "openai")?.api_key;
}

/** What the refusal of a turn with `model` says to do next. */
async function nextOf(pool: TestPool, model: string): Promise<string> {
  return (await refusalOf(pool, model)).next;
}

/** The refusal of a turn with `model` that no account serves: its next step, and the part of it that Codex shows. */
async function refusalOf(
  pool: TestPool,
  model: string,
): Promise<{ readonly next: string; readonly notice: string | null }> {
  const refused = await fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", "session-id": "next" },
    body: JSON.stringify({ model, stream: true, input: [] }),
  });
  const { error } = (await refused.json()) as { error: { next: string } };
  return { next: error.next, notice: refused.headers.get("x-codex-promo-message") };
}

/** Why the key does not get a turn with `model`, as `codexlb explain` says it. */
async function whyNotKey(pool: TestPool, model: string): Promise<string | undefined> {
  const { root } = pool.layout;
  const { out } = await runCli(["explain", "--model", model, "--json", "--root", root], { cwd: root });
  const { accounts } = JSON.parse(out) as { accounts: { alias: string; why: string }[] };
  return accounts.find(({ alias }) => alias === "openai")?.why;
}

for (const [transport, create] of [
  ["SSE", createSseClient],
  ["WebSocket", createSocketClient],
] as const) {
  test(`over ${transport} it serves after the last account is exhausted, until its cap`, async () => {
    await using pool = await startPool({ accounts: ACCOUNTS, config: PRICE });
    await addKey(pool, 2 * TURN_USD);
    const client = create(pool.url, "one");
    const served: string[] = [];
    for (let turn = 0; turn < 4; turn++) served.push(await client.turn("hi", "gpt-test"));
    expect(served).toEqual([
      ...["Hello from alice", "Hello from alice"],
      ...["Hello from openai", "Hello from openai"],
    ]);
    expect(await apiKeyOf(pool)).toMatchObject({ spent_usd: 2 * TURN_USD, cap_usd: 2 * TURN_USD });
    expect(await outcome(client.turn("hi", "gpt-test"))).toThrow("usage limit");
    client.close();
    const events = await pool.stopAndReadEvents();
    const moves = events.filter(({ event }) => event === "request.switched");
    expect(moves.map(({ fields }) => [fields?.from, fields?.to, fields?.switch_reason])).toEqual([
      ["alice", "openai", "last-resort"],
    ]);
    expect(JSON.stringify(events)).not.toContain(KEY);
  });
}

test("at the cap the client's error names the ways out", async () => {
  await using pool = await startPool({ accounts: EXHAUSTED, config: PRICE });
  await addKey(pool, TURN_USD);
  const send = () =>
    fetch(`${pool.url}/backend-api/codex/responses`, {
      method: "POST",
      headers: { "content-type": "application/json", "session-id": "one" },
      body: JSON.stringify({ model: "gpt-test", stream: true, input: [] }),
    });
  expect(await (await send()).text()).toContain("Hello from openai");
  const refused = await send();
  expect(refused.status).toBe(429);
  const { error } = (await refused.json()) as { error: { type: string; next: string } };
  expect(error.type).toBe("usage_limit_reached");
  expect(error.next).toContain("raise the monthly cap with: codexlb account set");
  expect(refused.headers.get("x-codex-promo-message")).toMatch(
    /^The API key of openai has reached its monthly cap: raise it with: codexlb account set .*openai --monthly-cap USD$/,
  );
});

test("no turn waits for a reset while it can serve, and turns wait once the cap is reached", async () => {
  const config = `[proxy]\nwait_for_reset = "8h"\n${PRICE}`;
  await using pool = await startPool({ accounts: EXHAUSTED, config });
  await addKey(pool, TURN_USD);
  const client = createSseClient(pool.url, "one");
  expect(await client.turn("hi", "gpt-test")).toBe("Hello from openai");
  const waiting = client.turn("hi", "gpt-test");
  await until("the turn waits", async () => {
    const status = (await pool.status()) as unknown as { waiting?: { turns: number } };
    return status.waiting?.turns === 1;
  });
  await pool.accounts.set("openai", { options: { monthlyCap: 1 } });
  expect(await waiting).toBe("Hello from openai");
  client.close();
});

test("a turn that comes from a proxy in front spends no money", async () => {
  await using pool = await startPool({ accounts: EXHAUSTED, config: PRICE });
  await addKey(pool, 1);
  await using front = await startPool({
    accounts: [],
    config: `[proxy]\nchild_proxy_urls = ["${pool.url}"]\n`,
  });
  const client = createSseClient(front.url, "one");
  expect(await outcome(client.turn("hi", "gpt-test"))).toThrow("usage limit");
  client.close();
  expect(await apiKeyOf(pool)).toMatchObject({ spent_usd: 0 });
  const { accounts } = await front.status();
  expect(accounts.map(({ alias }) => alias)).toEqual(["alice"]);
});

test("its spending survives a restart, and an unknown amount needs the user's decision", async () => {
  await using pool = await startPool({ accounts: EXHAUSTED, config: PRICE });
  await addKey(pool, 1);
  const client = createSseClient(pool.url, "one");
  await client.turn("hi", "gpt-test");
  client.close();
  await pool.stopAndReadEvents();
  const store = readFileSync(pool.layout.store, "utf8");
  const shown = async (text: string) => {
    writeFileSync(pool.layout.store, text);
    const { root } = pool.layout;
    const { out } = await runCli(["account", "show", "openai", "--json", "--root", root], { cwd: root });
    return (JSON.parse(out) as { status: Record<string, unknown> }).status;
  };
  expect((await shown(store)).api_key).toMatchObject({ spent_usd: TURN_USD, cap_usd: 1 });
  // The Go program drops accounts without a ChatGPT login.
  const { accounts, ...others } = JSON.parse(store) as { accounts: { alias: string }[] };
  const dropped = { ...others, accounts: accounts.filter(({ alias }) => alias !== "openai") };
  expect(await shown(JSON.stringify(dropped))).toMatchObject({
    enabled: false,
    disabled_reason: "unknown-spending",
  });
});

test("requests go below its own base URL, with the key and only what the API takes", async () => {
  await using pool = await startPool({
    accounts: EXHAUSTED,
    config: PRICE,
  });
  await addKey(pool, 1);
  const body = JSON.stringify({ model: "gpt-test", stream: true, store: false, input: [] });
  const response = await fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "content-encoding": "zstd",
      "chatgpt-account-id": "proxy-only",
      "x-codex-routing-hint": "model=gpt-test",
      "x-codex-window-id": "w",
      "session-id": "one",
    },
    body: zstdCompressSync(Buffer.from(body)),
  });
  expect(await response.text()).toContain("Hello from openai");
  const sent = pool.mock.requests.find(({ account }) => account === "openai");
  expect(sent?.path).toBe("/v1/responses");
  expect(sent?.json).toEqual(JSON.parse(body));
  expect(sent?.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(sent?.headers["x-codex-window-id"]).toBe("w");
  for (const name of ["chatgpt-account-id", "x-codex-routing-hint", "content-encoding"])
    expect(sent?.headers).not.toHaveProperty([name]);
});

test("it serves no model without a price, and nothing but turns", async () => {
  await using pool = await startPool({
    accounts: EXHAUSTED,
    config: PRICE,
  });
  await addKey(pool, 1);
  const client = createSseClient(pool.url, "one");
  expect(await outcome(client.turn("hi", "unheard-of"))).toThrow("usage limit");
  client.close();
  expect(await nextOf(pool, "unheard-of")).toContain("add a price for unheard-of to [prices] in config.toml");
  expect((await refusalOf(pool, "unheard-of")).notice).toBe(
    "The model unheard-of has no price, so no API key serves it: add its price to [prices] in config.toml",
  );
  expect(await whyNotKey(pool, "unheard-of")).toBe("the model has no price ([prices] in config.toml)");
  await pool.accounts.serve("alice", "disable");
  await (await fetch(`${pool.url}/backend-api/wham/settings/user`)).text();
  await (await fetch(`${pool.url}/backend-api/codex/models?client_version=0.171.0`)).text();
  expect(pool.mock.requests.filter(({ headers }) => headers.authorization?.includes(KEY))).toEqual([]);
});

test("a pinned key serves although an account has room", async () => {
  await using pool = await startPool({ accounts: ACCOUNTS, config: PRICE });
  await addKey(pool, 1);
  await pool.accounts.pin("openai");
  const client = createSseClient(pool.url, "one");
  expect(await client.turn("hi", "gpt-test")).toBe("Hello from openai");
  await pool.accounts.unpin();
  expect(await client.turn("hi", "gpt-test")).toBe("Hello from alice");
  client.close();
});

test("parallel turns exceed the cap by no more than the turns in flight", async () => {
  await using pool = await startPool({
    accounts: EXHAUSTED,
    config: PRICE,
  });
  const cap = 3 * TURN_USD;
  await addKey(pool, cap);
  const turns = Array.from({ length: 12 }, (_, index) =>
    createSseClient(pool.url, `s${index}`)
      .turn("hi", "gpt-test")
      .then(
        () => true,
        () => false,
      ),
  );
  const served = (await Promise.all(turns)).filter(Boolean).length;
  expect(served).toBeGreaterThan(0);
  const spent = (await apiKeyOf(pool))?.spent_usd ?? 0;
  expect(spent).toBeCloseTo(served * TURN_USD, 6);
});

test("if a refused key is the only account, the advice is to replace it, not to log in", async () => {
  await using pool = await startPool({ accounts: [], config: PRICE });
  const auth = apiKeyFile({ key: "sk-wrong", baseUrl: pool.mock.apiUrl });
  await pool.accounts.import("openai", { auth, config: undefined, replace: false });
  await pool.accounts.set("openai", { options: { monthlyCap: 1 } });
  await refusalOf(pool, "gpt-test");
  expect(await nextOf(pool, "gpt-test")).toMatch(
    /^replace the API key with: codexlb account add-key .*openai --key-stdin$/,
  );
});

test("a refused key takes the account out of service, and the client gets the usage limit", async () => {
  await using pool = await startPool({
    accounts: EXHAUSTED,
    config: PRICE,
  });
  const auth = apiKeyFile({ key: "sk-wrong", baseUrl: pool.mock.apiUrl });
  await pool.accounts.import("openai", { auth, config: undefined, replace: false });
  await pool.accounts.set("openai", { options: { monthlyCap: 1 } });
  for (const transport of ["sse", "websocket"] as const) {
    const seen = await takeTurn(
      { url: pool.url, session: transport, waited: () => {}, hadOutput: () => {} },
      transport,
    );
    expect(seen.shown).toEqual(["You've hit your usage limit"]);
  }
  expect((await refusalOf(pool, "gpt-test")).notice).toStartWith(
    "The API refused the key of openai: replace it with: codexlb account add-key ",
  );
  expect(await nextOf(pool, "gpt-test")).toContain(
    "the API refused the key of openai: replace it with: codexlb account add-key",
  );
  expect(await whyNotKey(pool, "gpt-test")).toBe("disabled: the API refused the key");
  const { root } = pool.layout;
  const { out } = await runCli(["account", "list", "--root", root], { cwd: root });
  expect(out).toMatch(/openai.*key-refused/);
});
