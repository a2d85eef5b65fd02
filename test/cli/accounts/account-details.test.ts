import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { accountView } from "../../../src/cli/accounts/account-details.ts";
import { AccountAnswer } from "../../../src/core/status-schema.ts";
import { createSseClient } from "../../../src/mock/client.ts";
import { runCli } from "../../support/cli.ts";
import { startPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

const show = (args: readonly string[]) => runCli(["account", "show", ...args], { cwd: temp.path });

describe("account show", () => {
  test("shows the state, the sessions and the recent events, with and without a proxy", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    for (const session of ["one", "two"]) await createSseClient(pool.url, session).turn("hi");
    await pool.accounts.pin("alice");
    const at = ["--root", pool.layout.root];
    const running = await show([...at, "--json", "alice"]);
    expect(running).toMatchObject({ code: 0, err: "" });
    const details = JSON.parse(running.out);
    expect(details.status).toMatchObject({ alias: "alice", pinned: true, active: true, plan_type: "pro" });
    expect(details.chatgpt_account_id).toBe("mock-alice");
    expect(details.home).toBe(join(pool.layout.accounts, "alice"));
    expect(details.sessions).toEqual({ count: 2, latest: ["two", "one"] });
    const names = details.events.map(({ event }: { event: string }) => event);
    expect(names.at(-1)).toBe("account.pinned");
    // Ordinary requests would displace the switches and failures.
    expect(names).not.toContain("request.completed");
    const read = await show([...at, "openai:alice"]);
    expect(read.out).toStartWith("alice @ proxy-");
    expect(read.out).toContain("  sessions  2: two, one\n");
    expect(read.out).toContain("\nrecent events\n");
    expect(details.login).toMatchObject({ renewable: true, expires_at_ms: expect.any(Number) });
    expect((await show([...at, "--json", "bob"])).out).toContain('"count": 0');
    const seen = await runCli(["account", "show", ...at, "alice"], { cwd: temp.path, terminal: 80 });
    expect(seen.code).toBe(0);
    expect(seen.out).toContain("pinned: all turns use it while it is available");
    expect(Bun.stripANSI(seen.out)).toMatch(/Login {6}tokens renewed a moment ago, access token expires in /);
    const far = await show(["--proxy-url", pool.url, "--admin-token", pool.adminToken, "--json", "alice"]);
    expect(JSON.parse(far.out).sessions).toEqual(details.sessions);
    await pool.stopAndReadEvents();
    const alone = JSON.parse((await show([...at, "--json", "alice"])).out);
    expect(alone.sessions).toEqual(details.sessions);
    expect(alone.status).toMatchObject({ alias: "alice", pinned: true, plan_type: "pro" });
  });

  test("shows the last switches in a pipe, with and without a proxy, also of the account that was left", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await pool.accounts.pin("alice");
    await createSseClient(pool.url, "one").turn("hi");
    await pool.accounts.pin("bob");
    await createSseClient(pool.url, "one").turn("hi");
    const line =
      /\nrecent switches\n {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}alice -> bob: bob is pinned\n\nrecent events\n/;
    const at = ["--root", pool.layout.root, "alice"];
    expect((await show(at)).out).toMatch(line);
    await pool.stopAndReadEvents();
    expect((await show(at)).out).toMatch(line);
    expect(JSON.parse((await show([...at, "--json"])).out).switches).toMatchObject([
      { from: "alice", to: "bob", reason: "pinned" },
    ]);
  });

  test("refuses unknown accounts and arguments", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const at = ["--root", pool.layout.root];
    const unknown = await show([...at, "carol"]);
    expect(unknown).toMatchObject({ code: 1, out: "" });
    expect(unknown.err).toBe("codexlb: account not found: carol\n  known accounts: alice\n");
    expect((await show(at)).code).toBe(2);
    expect((await show([...at, "a", "b"])).code).toBe(2);
  });

  test("as text", () => {
    const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
    expect(
      accountView(
        {
          status: AccountAnswer.parse({
            proxy_name: "",
            proxy_path: [],
            alias: "work",
            id: "openai:work",
            email: "you@example.com",
            active: true,
            pinned: false,
            healthy: false,
            enabled: true,
            disabled_reason: "",
            draining: false,
            cooldown_seconds: 90,
            cooldown_reason: "usage-limit",
            daily_left_pct: 12.34,
            weekly_left_pct: -1,
            daily_reset_at: nowMs / 1000 + 7_200,
            weekly_reset_at: 0,
            score: 0.25,
            in_flight: 2,
            last_used_at_ms: nowMs - 5 * 60_000,
            figures: [{ window: "daily", source: "headers", age_seconds: 5, outdated: false }],
          }),
          home: "/root/accounts/work",
          options: [],
          switches: [],
          sessions: { count: 7, latest: ["s7", "s6"] },
          events: [
            {
              ts: "2026-01-02T03:04:05.678Z",
              event: "account.cooldown",
              fields: { account_id: "x", code: 429 },
            },
          ],
        },
        nowMs,
      ),
    ).toMatchSnapshot();
  });
});
