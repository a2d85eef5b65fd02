import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newAccount } from "../../src/state/account-record.ts";
import type { Store } from "../../src/state/store.ts";
import { openStore } from "../../src/state/store.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";

const UPSTREAM = "https://chatgpt.com/backend-api";

/** A store of the Go program: accounts with figures in whole percent, times in seconds and milliseconds. */
const GO_STORE = {
  version: 1,
  updated_at: "2026-01-01T00:00:00Z",
  state: { active_index: 1, message_counter: 42, last_rotation_at_ms: 5, pinned_account_id: "openai:alice" },
  accounts: [
    {
      id: "openai:alice",
      alias: "alice",
      home_dir: "/somewhere/accounts/alice",
      base_url: UPSTREAM,
      enabled: true,
      cooldown_until_ms: 0,
      last_used_at_ms: 7,
      chatgpt_account_id: "acc-1",
      user_email: "alice@example.com",
      quota: {
        daily_limit: 100,
        daily_used: 40,
        daily_reset_at: 1_800_000_000,
        weekly_limit: 0,
        weekly_used: 0,
        weekly_reset_at: 0,
        last_sync_at: 1_700_000_000_000,
        last_sync_message_counter: 40,
        source: "openai_usage_api",
      },
    },
    {
      id: "openai:bob",
      alias: "bob",
      home_dir: "/somewhere/accounts/bob",
      base_url: "https://own.example/backend-api",
      enabled: false,
      disabled_reason: "http-401",
      cooldown_until_ms: 1_900_000_000_000,
      last_used_at_ms: 0,
      quota: {},
    },
  ],
};

function open(path: string, readOnly = false): Store & { warnings: string[] } {
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
  return { ...openStore(path, () => UPSTREAM, { clock: fakeClock(), log }, { readOnly }), warnings };
}

describe("the store", () => {
  test("reads the Go program's file, and writes files that the Go program reads", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    writeFileSync(path, JSON.stringify(GO_STORE));
    const store = open(path);
    expect(store.state).toMatchObject({
      activeId: "openai:bob",
      pinnedId: "openai:alice",
      messageCounter: 42,
    });
    const [alice, bob] = store.state.accounts;
    expect(alice?.quota.main.windows.short).toMatchObject({
      usedPercent: 40,
      resetAtMs: 1_800_000_000_000,
      source: "stored",
    });
    expect(alice?.quota.main.windows.weekly).toBeUndefined();
    expect(alice?.ownBaseUrl).toBeUndefined();
    expect(bob?.health).toEqual({ kind: "disabled", reason: "http-401", sinceMs: 0 });
    expect(bob?.ownBaseUrl).toBe("https://own.example/backend-api");
    store.touch();
    store.flush();
    const written = JSON.parse(readFileSync(path, "utf8"));
    expect(written.state).toMatchObject(GO_STORE.state);
    expect(written.accounts[0]).toMatchObject(GO_STORE.accounts[0]!);
  });

  test("that is far too large is refused without reading it", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    writeFileSync(path, "{");
    truncateSync(path, 40_000_000_000);
    expect(() => open(path)).toThrow("it is too large (40000000000 bytes; the limit is 33554432)");
  });

  test("keeps everything at a restart", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    const store = open(path);
    const account = newAccount("Alice", "/x", {
      health: { kind: "cooling", cause: "limit", reason: "usage-limit", sinceMs: 1, untilMs: 2, faults: 0 },
      chatgptUserId: "user-1",
    });
    store.state.accounts.push(account);
    store.state.activeId = account.id;
    store.touch();
    store.flush();
    expect(open(path).state).toEqual(store.state);
  });

  test("is written within 250 ms of a change, and not at all without one", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    const clock = fakeClock();
    const store = openStore(path, () => UPSTREAM, { clock, log: { info: () => {}, warn: () => {} } });
    store.flush();
    expect(readdirSync(temp.path)).toEqual([]);
    store.touch();
    clock.advance(249);
    expect(readdirSync(temp.path)).toEqual([]);
    clock.advance(1);
    expect(readdirSync(temp.path)).toEqual(["store.json"]);
  });

  test("that is closed has written everything, and ignores later changes", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    const clock = fakeClock();
    const options = { clock, log: { info: () => {}, warn: () => {} } };
    const store = openStore(path, () => UPSTREAM, options);
    store.state.messageCounter = 1;
    store.touch();
    store.close();
    // Another process owns the file now.
    const next = openStore(path, () => UPSTREAM, options);
    next.state.messageCounter = 2;
    next.touch();
    next.close();
    store.state.messageCounter = 1;
    store.touch();
    store.flush();
    clock.advance(10_000);
    expect(open(path).state.messageCounter).toBe(2);
  });

  test("that could not be written when it was closed does not try again", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "missing", "store.json");
    const clock = fakeClock();
    const store = openStore(path, () => UPSTREAM, { clock, log: { info: () => {}, warn: () => {} } });
    store.touch();
    expect(() => store.close()).toThrow("missing");
    mkdirSync(join(temp.path, "missing"));
    clock.advance(10_000);
    expect(readdirSync(join(temp.path, "missing"))).toEqual([]);
  });

  test("that is damaged is renamed, and the previous copy is used", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    const store = open(path);
    for (const count of [1, 2]) {
      store.state.messageCounter = count;
      store.touch();
      store.flush();
    }
    writeFileSync(path, '{"version":1,"accounts":[{');
    const reopened = open(path);
    expect(reopened.state.messageCounter).toBe(1);
    expect(reopened.warnings.join()).toContain("is damaged");
    expect(readdirSync(temp.path).filter((name) => name.startsWith("store.json.corrupt-")).length).toBe(1);
  });

  test("of a newer version is refused and not changed", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    writeFileSync(path, '{"version":2}');
    expect(() => open(path)).toThrow("written by a newer codexlb (version 2)");
    expect(readFileSync(path, "utf8")).toBe('{"version":2}');
  });

  test("without accounts is read in all its spellings", () => {
    using temp = tempDirectory();
    const path = join(temp.path, "store.json");
    for (const accounts of ['"accounts":null', '"accounts":[]', '"x":1']) {
      writeFileSync(path, `{"version":1,${accounts}}`);
      expect(open(path, true).state.accounts).toEqual([]);
    }
  });
});
