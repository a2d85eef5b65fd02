import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readClaims } from "../../src/auth/claims.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { fakeClock } from "../support/clock.ts";
import { enrol, startPool, type TestPool, until } from "../support/pool.ts";
import { startUpstream } from "../support/upstream.ts";

const TICK_MS = 5_000;
const authOf = (pool: TestPool, alias: string) => join(pool.layout.accounts, alias, "auth.json");
const tokenOf = (pool: TestPool, alias: string) =>
  JSON.parse(readFileSync(authOf(pool, alias), "utf8")).tokens.access_token as string;
const secondsLeft = (token: string, nowMs: number) => (readClaims(token)?.exp ?? 0) - nowMs / 1000;
const renewals = (pool: TestPool) => pool.mock.requests.filter(({ point }) => point === "token").length;
const stateOf = async (pool: TestPool, alias: string) =>
  (await pool.status()).accounts.find((one) => one.alias === alias);

test("a new token that seems to have expired already is used until it is refused, and causes one warning", async () => {
  const expired = Math.floor(Date.now() / 1000) - 3_600;
  const token = `h.${Buffer.from(JSON.stringify({ exp: expired })).toString("base64url")}.s`;
  const seen: string[] = [];
  let isRefused = false;
  await using upstream = startUpstream((request) => {
    seen.push(request.headers.get("authorization") ?? "");
    return new Response(isRefused ? "expired" : "ok", { status: isRefused ? 401 : 200 });
  });
  await using pool = await startPool({
    accounts: [{ alias: "alice", expiresInSeconds: -60 }],
    upstream: upstream.baseUrl,
    prepare: (_layout, mock) =>
      mock.faults.add({ on: "token", answer: { status: 200, body: { access_token: token } } }),
  });
  const ask = async () => (await fetch(`${pool.url}/backend-api/codex/models`)).text();
  for (let count = 0; count < 3; count++) expect(await ask()).toBe("ok");
  expect(new Set(seen)).toEqual(new Set([`Bearer ${token}`]));
  expect(renewals(pool)).toBe(1);
  isRefused = true;
  await ask();
  expect(renewals(pool)).toBe(2);
  expect(pool.warnings.filter((line) => line.includes("seems to have expired already")).length).toBe(1);
});

describe("in the background", () => {
  test("a login is renewed once before it expires, even that of an exhausted account", async () => {
    const clock = fakeClock();
    await using pool = await startPool({
      clock,
      accounts: [
        { alias: "alice", expiresInSeconds: 9 * 60, turns: 0 },
        { alias: "bob", expiresInSeconds: 3_600 },
      ],
    });
    await until("alice was renewed", () => secondsLeft(tokenOf(pool, "alice"), clock.now()) > 3_000);
    const renewed = tokenOf(pool, "alice");
    clock.advance(TICK_MS * 3);
    expect(await createSseClient(pool.url, "s").turn("hello")).toBe("Hello from bob");
    expect(tokenOf(pool, "alice")).toBe(renewed);
    expect(renewals(pool)).toBe(1);
    expect(
      (await pool.stopAndReadEvents()).some(
        ({ event, fields }) => event === "account.auth_refreshed" && fields?.mode === "ahead",
      ),
    ).toBe(true);
  });

  test("a renewal that fails for a passing reason leaves the account in service, and is tried again later", async () => {
    const clock = fakeClock();
    await using pool = await startPool({
      clock,
      accounts: [{ alias: "alice", expiresInSeconds: 9 * 60 }],
      prepare: (_layout, mock) => mock.faults.add({ on: "token", answer: { status: 503 } }),
    });
    await until("it was tried", () =>
      pool.warnings.some((line) => line.includes("renewing the login of alice")),
    );
    clock.advance(TICK_MS);
    clock.advance(TICK_MS);
    expect(await createSseClient(pool.url, "s").turn("hello")).toBe("Hello from alice");
    expect(renewals(pool)).toBe(1);
    pool.mock.faults.clear();
    await until("it was tried again", () => {
      clock.advance(TICK_MS);
      return renewals(pool) === 2;
    });
    expect((await stateOf(pool, "alice"))?.enabled).toBe(true);
  });

  test("a rejected login disables the account, and a new login on disk enables it", async () => {
    const clock = fakeClock();
    await using pool = await startPool({
      clock,
      accounts: [{ alias: "alice", expiresInSeconds: 9 * 60 }],
      prepare: (_layout, mock) =>
        mock.faults.add({
          on: "token",
          answer: { status: 401, body: { error: { code: "refresh_token_reused" } } },
        }),
    });
    const disabled = async () => (await stateOf(pool, "alice"))?.disabled_reason;
    await until("it is disabled", async () => (await disabled()) === "refresh-token-reused");
    // The same file has the same rejected login.
    const dead = readFileSync(authOf(pool, "alice"), "utf8");
    writeFileSync(authOf(pool, "alice"), dead);
    clock.advance(TICK_MS);
    expect(await disabled()).toBe("refresh-token-reused");
    pool.mock.faults.clear();
    writeFileSync(authOf(pool, "alice"), pool.mock.authFile("alice"));
    clock.advance(TICK_MS);
    await until("it is back", async () => (await stateOf(pool, "alice"))?.enabled === true);
    expect(await createSseClient(pool.url, "s").turn("hello")).toBe("Hello from alice");
  });

  test("an account whose file cannot be read is listed with the reason, and returns to service with the file", async () => {
    const clock = fakeClock();
    await using pool = await startPool({
      clock,
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      prepare: (layout) => {
        writeFileSync(join(layout.accounts, "alice", "auth.json"), "{ half");
      },
    });
    expect(await stateOf(pool, "alice")).toMatchObject({ enabled: false, disabled_reason: "missing-auth" });
    expect(await createSseClient(pool.url, "s").turn("hello")).toBe("Hello from bob");
    writeFileSync(authOf(pool, "alice"), pool.mock.authFile("alice"));
    clock.advance(TICK_MS);
    await until("it is back", async () => (await stateOf(pool, "alice"))?.enabled === true);
  });

  test("damage to a file is noticed while the proxy runs, and so is its restoration", async () => {
    const clock = fakeClock();
    await using pool = await startPool({ clock, accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const path = authOf(pool, "alice");
    const good = readFileSync(path, "utf8");
    await createSseClient(pool.url, "s").turn("hello");
    const look = async (what: string, check: (account: Awaited<ReturnType<typeof stateOf>>) => boolean) =>
      until(what, async () => {
        clock.advance(TICK_MS);
        return check(await stateOf(pool, "alice"));
      });
    for (const damage of [() => writeFileSync(path, "{"), () => rmSync(path)]) {
      damage();
      await look("it is out of service", (one) => one?.disabled_reason === "missing-auth");
      writeFileSync(path, good);
      await look("it is back", (one) => one?.enabled === true);
    }
    renameSync(path, `${path}.aside`);
    await look("it is out of service", (one) => one?.disabled_reason === "missing-auth");
    renameSync(`${path}.aside`, path);
    await look("it is back", (one) => one?.enabled === true);
  });

  test("an account whose home is removed by hand is removed, and the log says so", async () => {
    const clock = fakeClock();
    await using pool = await startPool({ clock, accounts: [{ alias: "alice" }, { alias: "bob" }] });
    rmSync(join(pool.layout.accounts, "bob"), { recursive: true });
    await until("bob is gone", async () => {
      clock.advance(TICK_MS);
      return (await pool.status()).accounts.length === 1;
    });
    expect(pool.warnings.join()).toContain("dropped account bob, because its directory");
    const events = await pool.stopAndReadEvents();
    expect(events.find(({ event }) => event === "account.removed")?.fields).toEqual({
      account_id: "openai:bob",
    });
  });

  test("an account that the user disabled stays disabled, whatever happens to its file", async () => {
    const clock = fakeClock();
    await using pool = await startPool({ clock, accounts: [{ alias: "alice" }] });
    await pool.accounts.serve("alice", "disable");
    writeFileSync(authOf(pool, "alice"), pool.mock.authFile("alice"));
    clock.advance(TICK_MS);
    expect(await stateOf(pool, "alice")).toMatchObject({ enabled: false, disabled_reason: "operator" });
  });

  test("a new home is enrolled without a restart, and the other accounts keep their state", async () => {
    const clock = fakeClock();
    await using pool = await startPool({ clock, accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const bob = join(pool.layout.accounts, "bob");
    cpSync(bob, join(pool.layout.root, "bob-kept"), { recursive: true });
    await pool.accounts.remove("bob");
    expect(existsSync(bob)).toBe(false);
    await createSseClient(pool.url, "s").turn("hello");
    mkdirSync(join(pool.layout.accounts, "not-yet"));
    clock.advance(TICK_MS);
    expect((await pool.status()).accounts.map(({ alias }) => alias)).toEqual(["alice"]);
    enrol(pool.layout, "bob", readFileSync(join(pool.layout.root, "bob-kept", "auth.json"), "utf8"));
    clock.advance(TICK_MS);
    await until("bob is there", async () => (await pool.status()).accounts.length === 2);
    expect((await stateOf(pool, "alice"))?.last_used_at_ms).toBeGreaterThan(0);
    await pool.accounts.pin("bob");
    expect(await createSseClient(pool.url, "s2").turn("hello")).toBe("Hello from bob");
    rmSync(join(pool.layout.root, "bob-kept"), { recursive: true });
  });
});
