// `codexlb key add`, `set`, `show` and `list` with limits, without a proxy and with one.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyInfo } from "../../../src/auth/keys.ts";
import { keyJson } from "../../../src/cli/keys/key-json.ts";
import { keyTexts, limitsText } from "../../../src/cli/keys/key-words.ts";
import { limitChanges } from "../../../src/cli/keys/limit-flags.ts";
import { createSseClient } from "../../../src/mock/client.ts";
import { runCli } from "../../support/cli.ts";
import { startPool } from "../../support/pool.ts";
import { tempDirectory } from "../../support/temp.ts";

const NOW = new Date(2026, 0, 2, 3, 4, 5).getTime();
const DAY_MS = 86_400_000;

/** The facts about a key, as `key show` prints them in a pipe. */
function viewOf(key: KeyInfo, nowMs: number): string {
  return keyTexts(key, nowMs)
    .map(({ name, value }) => `${name}${value}\n`)
    .join("");
}

describe("a limit on the command line", () => {
  test.each([
    ["30d", NOW + 30 * DAY_MS],
    ["1d12h", NOW + 1.5 * DAY_MS],
    ["4w", NOW + 28 * DAY_MS],
    ["12h", NOW + DAY_MS / 2],
    ["1h30m", NOW + 5_400_000],
    ["2026-01-31", new Date(2026, 0, 31).getTime()],
    ["2026-01-31T18:00", new Date(2026, 0, 31, 18).getTime()],
    ["none", null],
  ])("--expires %s", (expires, expiresMs) => {
    expect(limitChanges({ expires }, NOW).expiresMs).toBe(expiresMs);
  });

  test.each([
    [{ expires: "soon" }, 'flag --expires: "soon" is not a time'],
    [{ expires: "30" }, 'flag --expires: "30" is not a time'],
    [{ expires: "0d" }, "flag --expires: 0d is in the past"],
    [{ expires: "2025-12-31" }, "flag --expires: 2025-12-31 is in the past"],
    [{ expires: "2026-02-30" }, 'flag --expires: "2026-02-30" is not a time'],
    [{ expires: "99999d" }, "flag --expires: 99999d is more than ten years ahead"],
    [{ rpm: "many" }, 'flag --rpm: "many" is not a whole number'],
    [{ rpm: "0" }, "flag --rpm: the turns per minute must be a whole number from 1 to 1000000"],
    [{ "tokens-per-day": "5T" }, 'flag --tokens-per-day: "5T" is not a whole number'],
    [{ models: "gpt 6" }, 'flag --models: "gpt 6" is not a pattern for models'],
    [{ models: "," }, "flag --models: name at least one pattern for models"],
  ])("%p is refused", (flags, message) => {
    expect(() => limitChanges(flags, NOW)).toThrow(message);
  });

  test("is read as a number or a list, and flags that are absent change nothing", () => {
    const changes = limitChanges({ rpm: "60", "tokens-per-day": "5M", models: "gpt-6*, o3,o3" }, NOW);
    expect(changes).toEqual({
      expiresMs: undefined,
      turnsPerMinute: 60,
      tokensPerDay: 5_000_000,
      models: ["gpt-6*", "o3"],
    });
  });
});

test("limits are shown in a few words", () => {
  const limits = {
    turnsPerMinute: 60,
    tokensPerDay: 5_000_000,
    models: ["gpt-6*"],
    expiresMs: NOW + 30 * DAY_MS,
  };
  expect(limitsText(limits, NOW)).toBe("60/min, 5M tokens/day, gpt-6*, expires in 30 days");
  expect(limitsText({ expiresMs: NOW }, NOW)).toBe("expired");
  expect(limitsText(undefined, NOW)).toBe("");
  const key = { name: "laptop", role: "client", createdMs: NOW - DAY_MS, lastUsedMs: NOW - 120_000 } as const;
  const use = { turnsLastMinute: 3, tokensToday: 1_234, dayEndsMs: new Date(2026, 0, 3).getTime() };
  expect(viewOf({ ...key, limits, use, tags: { tags: ["work"], only: true } }, NOW)).toBe(`\
  role              client
  tags              work (only)
  expires           1 Feb at 03:04 (in 30 days)
  turns per minute  at most 60; 3 in the last minute
  tokens per day    at most 5M; 1234 used today; the day ends at Sat 00:00
  models            gpt-6*
  last used         2 min ago
  created           24 h ago
`);
  expect(viewOf(key, NOW)).toContain("  tokens per day    no limit\n");
});

test("without a proxy, the commands work on the file", async () => {
  using temp = tempDirectory();
  const run = (...args: string[]) =>
    runCli(["key", ...args], { cwd: temp.path, env: { CODEXLB_ROOT: join(temp.path, "root") } });
  const added = await run("add", "guest", "--rpm", "60", "--models", "gpt-6*", "--models", "o3");
  expect([added.code, added.out]).toEqual([0, expect.stringMatching(/^clb_\S+\n$/)]);
  const set = await run("set", "guest", "--tokens-per-day", "200k", "--rpm", "none", "--tag", "work");
  expect([set.code, set.out]).toEqual([0, "changed key guest\n"]);
  expect(set.err).toContain("limits of keys have no effect while proxy.client_auth = false");
  expect((await run("list")).out).toMatch(/^NAME +ROLE +CREATED +LAST USED +TAGS +LIMITS\n/);
  expect((await run("list")).out).toMatch(/ work +200k tokens\/day, gpt-6\*, o3\n$/);
  expect(JSON.parse((await run("show", "guest", "--json")).out)).toEqual({
    name: "guest",
    role: "client",
    tags: ["work"],
    only: false,
    created_at_ms: expect.any(Number),
    last_used_at_ms: null,
    tokens_per_day: 200_000,
    models: ["gpt-6*", "o3"],
    use: { turns_last_minute: 0, tokens_today: 0, day_ends_at_ms: expect.any(Number) },
  });
  await run("set", "guest", "--tokens-per-day", "none", "--models", "none", "--tag", "none");
  const file = JSON.parse(readFileSync(join(temp.path, "root", "keys.json"), "utf8"));
  expect(Object.keys(file.keys[0]).sort()).toEqual(["created_ms", "name", "role", "sha256"]);
  expect((await run("list")).out).toMatch(/ - +-\n$/);
});

test("a key was never used before it was created, although its last use is kept as a full minute", () => {
  const key = { name: "new", role: "client", createdMs: NOW, lastUsedMs: NOW - 5_000 } as const;
  const info = { ...key, tags: undefined, limits: undefined, use: undefined };
  expect(keyJson(info)).toMatchObject({ created_at_ms: NOW, last_used_at_ms: NOW });
  expect(viewOf(info, NOW + 55_000)).toMatch(/last used +a moment ago\n *created +a moment ago\n/);
});

test("key set warns of a tag that no account has, in the same words as key add", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: '[proxy]\nname = "p"\nclient_auth = true\n[accounts.alice]\ntags = ["work"]\n',
  });
  const run = (...args: string[]) =>
    runCli(["key", ...args], { cwd: pool.layout.root, env: { CODEXLB_ROOT: pool.layout.root } });
  const warning = (effect: string) =>
    `codexlb: warning: no account of this proxy has the tag nosuch, so ${effect}; tag one with: codexlb account set ALIAS --tag nosuch\n`;
  expect((await run("add", "guest", "--tag", "nosuch")).err).toContain(warning("any account serves"));
  expect(await run("set", "guest", "--tag", "nosuch")).toEqual({
    code: 0,
    out: "changed key guest\n",
    err: warning("any account serves"),
  });
  expect((await run("set", "guest", "--tag", "nosuch", "--only")).err).toBe(
    warning("the proxy refuses all requests with this key"),
  );
  for (const args of [
    ["--tag", "work"],
    ["--tag", "none"],
    ["--rpm", "5"],
  ])
    expect((await run("set", "guest", ...args)).err).toBe("");
});

test("errors name what is wrong and what to do", async () => {
  using temp = tempDirectory();
  const run = async (...args: string[]) => {
    const { code, err } = await runCli(["key", ...args], {
      cwd: temp.path,
      env: { CODEXLB_ROOT: join(temp.path, "root") },
    });
    return [code, err];
  };
  await run("add", "prom", "--role", "metrics");
  expect(await run("set", "prom")).toEqual([
    2,
    expect.stringContaining("key set: nothing to set\n  pass a flag, as in: codexlb key set"),
  ]);
  expect(await run("set", "prom", "--only")).toEqual([
    2,
    expect.stringContaining("key set: --only needs --tag"),
  ]);
  expect(await run("set", "prom", "--rpm", "5")).toEqual([
    2,
    expect.stringContaining("a key with the role metrics sends no turns"),
  ]);
  expect(await run("set", "laptop", "--rpm", "5")).toEqual([
    1,
    expect.stringContaining("there is no key laptop\n  known keys: prom"),
  ]);
  expect(await run("show", "laptop")).toEqual([
    1,
    expect.stringContaining("there is no key laptop\n  known keys: prom"),
  ]);
});

test("with a proxy, what a key has used is shown", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: '[proxy]\nname = "p"\nclient_auth = true\n',
  });
  const run = (...args: string[]) =>
    runCli(["key", ...args], { cwd: pool.layout.root, env: { CODEXLB_ROOT: pool.layout.root } });
  const key = (await run("add", "laptop", "--rpm", "60", "--expires", "30d")).out.trim();
  await createSseClient(pool.url, "s1", { authorization: `Bearer ${key}` }).turn("hi");
  expect((await run("set", "laptop", "--models", "demo")).err).toBe("");
  const shown = JSON.parse((await run("show", "laptop", "--json")).out);
  expect(shown).toMatchObject({ rpm: 60, models: ["demo"], use: { turns_last_minute: 1 } });
  expect(shown.use.tokens_today).toBeGreaterThan(0);
  expect((await run("show", "laptop")).out).toMatch(/turns per minute +at most 60; 1 in the last minute\n/);
});
