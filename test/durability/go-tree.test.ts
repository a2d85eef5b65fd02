// Opens a directory of the Go program, uses it, and checks that the Go program can still read it.

import { describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import type { Layout } from "../../src/state/layout.ts";
import { runCli } from "../support/cli.ts";
import { GO_CONFIG } from "../support/go-program.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { tempDirectory } from "../support/temp.ts";

const CONFIG = GO_CONFIG.replace("usage_balanced", "sticky");

const WINDOW = {
  daily_limit: 100,
  daily_used: 40,
  daily_reset_at: 4_000_000_000,
  weekly_limit: 100,
  weekly_used: 12,
  weekly_reset_at: 4_000_500_000,
};

const accountOf = (
  layout: Layout,
  alias: string,
  more: { readonly quota: unknown; base_url?: string; [key: string]: unknown },
) => ({
  id: `openai:${alias}`,
  alias,
  home_dir: join(layout.accounts, alias),
  base_url: "https://chatgpt.com/backend-api",
  enabled: true,
  cooldown_until_ms: 0,
  last_used_at_ms: 1_700_000_000_000,
  last_switch_reason: "usage-stay",
  chatgpt_account_id: `mock-${alias}`,
  user_email: `${alias}@example.com`,
  ...more,
});

const storeOf = (layout: Layout, nowMs: number) => ({
  version: 1,
  updated_at: "2026-11-01T10:00:00Z",
  state: {
    active_index: 1,
    message_counter: 42,
    last_rotation_at_ms: 1_700_000_000_000,
    pinned_account_id: "openai:bob",
  },
  accounts: [
    accountOf(layout, "alice", {
      quota: {
        ...WINDOW,
        additional_limits: [
          {
            limit_id: "codex_spark",
            limit_name: "Spark",
            primary_limit: 100,
            primary_used: 25,
            primary_reset_at: 4_000_000_000,
            primary_window_seconds: 18_000,
            secondary_limit: 100,
            secondary_used: 10,
            secondary_reset_at: 4_000_500_000,
            secondary_window_seconds: 604_800,
          },
        ],
        last_sync_at: nowMs,
        last_sync_message_counter: 41,
        source: "openai_usage_api",
      },
    }),
    accountOf(layout, "bob", {
      quota: { ...WINDOW, last_sync_at: nowMs, last_sync_message_counter: 42, source: "openai_usage_api" },
    }),
    accountOf(layout, "carol", {
      enabled: false,
      disabled_reason: "refresh-token-reused",
      base_url: "https://own.example/backend-api",
      quota: { ...WINDOW, last_sync_at: nowMs, last_sync_message_counter: 42, source: "openai_usage_api" },
    }),
  ],
});

const LOG = '{"ts":"2026-11-01T10:00:00Z","event":"proxy.started","fields":{"listen":"127.0.0.1:8765"}}\n';

function writeTree(layout: Layout): void {
  writeFileSync(layout.config, CONFIG, { mode: 0o600 });
  writeFileSync(layout.store, `${JSON.stringify(storeOf(layout, Date.now()), undefined, 2)}\n`, {
    mode: 0o600,
  });
  for (const alias of ["alice", "bob", "carol"]) {
    writeFileSync(join(layout.accounts, alias, "config.toml"), `model = "for ${alias}"\n`);
    writeFileSync(join(layout.accounts, alias, ".auth.refresh.lock"), "");
  }
  mkdirSync(layout.runtime, { recursive: true });
  writeFileSync(join(layout.runtime, "auth.json"), '{"tokens":{"refresh_token":"codexlb-runtime-refresh"}}');
  mkdirSync(dirname(layout.events), { recursive: true });
  appendFileSync(layout.events, LOG);
  writeFileSync(join(layout.logs, "launchd.stderr.log"), "x");
}

const startTree = (): Promise<TestPool> =>
  startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }], prepare: writeTree });

describe("a root of the Go program", () => {
  test("needs no conversion: accounts, figures, pin, settings and log are read", async () => {
    await using pool = await startTree();
    const { layout } = pool;
    const homes = ["alice", "bob", "carol"].flatMap((alias) =>
      ["auth.json", "config.toml"].map((name) => join(layout.accounts, alias, name)),
    );
    const before = homes.map((path) => readFileSync(path, "utf8"));
    expect(pool.daemon.name).toBe("proxy-0a1b2c3d");
    const status = await pool.status();
    expect(status.state).toMatchObject({ message_counter: 42, pinned_account_id: "openai:bob" });
    const bob = status.accounts.find(({ alias }) => alias === "bob");
    expect(bob).toMatchObject({ pinned: true, daily_left_pct: 60, weekly_left_pct: 88 });
    expect(status.accounts.find(({ alias }) => alias === "bob")?.active).toBe(true);
    expect(await createSseClient(pool.url, "s").turn("hello")).toBe("Hello from bob");
    expect(readFileSync(layout.config, "utf8")).toBe(CONFIG);
    expect(homes.map((path) => readFileSync(path, "utf8"))).toEqual(before);
    const events = await pool.stopAndReadEvents();
    expect(events[0]).toEqual(JSON.parse(LOG));
    expect(events.filter(({ event }) => event === "proxy.started").length).toBe(2);
  });

  test("stays readable for the Go program: the store keeps its fields and their types", async () => {
    await using pool = await startTree();
    const { layout } = pool;
    const before = storeOf(layout, 0);
    await createSseClient(pool.url, "s").turn("hello");
    await pool.stopAndReadEvents();
    const after = JSON.parse(readFileSync(layout.store, "utf8"));
    expect(after.version).toBe(1);
    expect(after.updated_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(after.state).toMatchObject({ ...before.state, message_counter: 43 });
    expect(after.accounts.map((one: { id: string }) => one.id)).toEqual(before.accounts.map(({ id }) => id));
    for (const [index, account] of before.accounts.entries()) {
      const { id, alias, home_dir, base_url, chatgpt_account_id, user_email } = account;
      expect(after.accounts[index]).toMatchObject({
        id,
        alias,
        home_dir,
        base_url,
        chatgpt_account_id,
        user_email,
      });
      // All numbers in the store are integers, because the Go program refuses a store with fractions.
      const numbers = JSON.stringify(after.accounts[index].quota).match(/-?\d+(?:\.\d+)?(?:e\+?\d+)?/g) ?? [];
      expect(numbers.filter((number) => !Number.isInteger(Number(number)))).toEqual([]);
    }
    expect(readFileSync(layout.config, "utf8")).toBe(CONFIG);
  });

  test("is not modified by read-only commands", async () => {
    using temp = tempDirectory();
    const root = join(temp.path, "r");
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }],
    });
    await Bun.$`cp -R ${pool.layout.root} ${root}`.quiet();
    await Bun.$`rm -f ${root}/admin.sock ${root}/store.json.previous`.quiet();
    const tree = async () =>
      (await Bun.$`find ${root} -type f -printf '%P %s %T@ %i\n' | sort`.text()).split("\n");
    const before = await tree();
    for (const args of [
      ["account", "list"],
      ["account", "list", "--json"],
      ["config", "show"],
      ["config", "check"],
      ["key", "list"],
      ["proxy", "logs"],
      ["status", "--proxy-url", "http://127.0.0.1:1"],
      ["run", "--command"],
    ])
      await runCli(args, { cwd: temp.path, env: { CODEXLB_ROOT: root } });
    expect(await tree()).toEqual(before);
  });

  test("with a damaged store keeps its accounts, and the damaged store is kept as a copy", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      prepare: (layout) => writeFileSync(layout.store, '{"version":1,"accounts":[{"id":"openai:al'),
    });
    expect((await pool.status()).accounts.map(({ alias }) => alias)).toEqual(["alice", "bob"]);
    expect(pool.warnings.join()).toContain("is damaged");
    expect(pool.warnings.join()).toContain("the state is restored from the account directories");
    const kept = readdirSync(pool.layout.root).filter((name) => name.startsWith("store.json.corrupt-"));
    expect(kept.length).toBe(1);
    expect(readFileSync(join(pool.layout.root, kept[0]!), "utf8")).toBe(
      '{"version":1,"accounts":[{"id":"openai:al',
    );
    expect(JSON.parse(readFileSync(pool.layout.store, "utf8")).accounts.length).toBe(2);
  });

  test("without accounts stores null for them", async () => {
    await using pool = await startPool({
      accounts: [],
      prepare: (layout) =>
        writeFileSync(layout.store, '{"version":1,"state":{"active_index":0},"accounts":null}\n'),
    });
    expect((await pool.status()).accounts).toEqual([]);
    expect(await pool.accounts.list()).toEqual([]);
  });
});
