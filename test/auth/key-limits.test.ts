// The limits of keys, and what keys have used: enforced exactly, counted by day and minute, and kept over restarts.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type Keys, openKeys } from "../../src/auth/keys.ts";
import type { KeyLimits } from "../../src/core/key-limits.ts";
import { startOfDay } from "../../src/core/local-days.ts";
import { systemDeps } from "../../src/deps.ts";
import { fakeClock } from "../support/clock.ts";
import { outcome } from "../support/outcome.ts";
import { tempDirectory } from "../support/temp.ts";

const DAY_MS = 86_400_000;

function setup() {
  const temp = tempDirectory();
  const clock = fakeClock();
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
  const path = join(temp.path, "keys.json");
  const usePath = join(temp.path, "key-use.json");
  const open = (isOurs = () => true) =>
    openKeys(path, { ...systemDeps(), clock, log, useFile: { path: usePath, isOurs } });
  const limiterOf = async (keys: Keys, limits: KeyLimits, name = "laptop") => {
    const key = keys.find(await keys.add(name, "client", undefined, limits));
    if (key === undefined) throw new Error("the key was just created");
    return key.limiter;
  };
  return { clock, warnings, path, usePath, open, limiterOf, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

describe("a limit of turns", () => {
  test("holds within any 60 seconds, whatever the interleaving, and a client that waits for the time it gets is let in", async () => {
    using s = setup();
    const keys = s.open();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(
          fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), turns: fc.integer({ min: 0, max: 4 }) }),
          {
            maxLength: 30,
          },
        ),
        async (turnsPerMinute, steps) => {
          const limiter = await s.limiterOf(keys, { turnsPerMinute }, `k${count++}`);
          const begun: number[] = [];
          for (const { afterMs, turns } of steps) {
            s.clock.advance(afterMs);
            for (let turn = 0; turn < turns; turn++) {
              const problem = limiter.begin("m", true);
              if (problem === undefined) begun.push(s.clock.monotonic());
              else expect(problem).toMatchObject({ kind: "rpm", turnsPerMinute });
            }
            const inMinute = begun.filter((at) => at > s.clock.monotonic() - 60_000).length;
            expect(inMinute).toBeLessThanOrEqual(turnsPerMinute);
          }
          const last = limiter.begin("m", true);
          if (last?.kind === "rpm") {
            s.clock.advance(last.waitSeconds * 1_000);
            expect(limiter.begin("m", true)).toBeUndefined();
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test("counts neither what it refuses, nor a prepared connection, nor a turn that is sent again", async () => {
    using s = setup();
    const limiter = await s.limiterOf(s.open(), { turnsPerMinute: 2 });
    expect(limiter.begin("m", false)).toBeUndefined();
    expect(limiter.begin("m", true)).toBeUndefined();
    limiter.takeBack();
    expect(limiter.begin("m", true)).toBeUndefined();
    expect(limiter.begin("m", true)).toBeUndefined();
    for (let turn = 0; turn < 10; turn++) expect(limiter.begin("m", true)?.kind).toBe("rpm");
    expect(limiter.use()?.turnsLastMinute).toBe(2);
    s.clock.advance(62_000);
    expect(limiter.begin("m", true)).toBeUndefined();
  });

  test("does not depend on the wall clock", async () => {
    using s = setup();
    const limiter = await s.limiterOf(s.open(), { turnsPerMinute: 1 });
    expect(limiter.begin("m", true)).toBeUndefined();
    s.clock.setBack(3 * 3_600_000);
    expect(limiter.begin("m", true)).toMatchObject({ kind: "rpm", waitSeconds: 61 });
    s.clock.advance(61_000);
    expect(limiter.begin("m", true)).toBeUndefined();
  });
});

describe("a limit of tokens", () => {
  test("is exceeded only by turns that began before it was reached, and ends with the local day", async () => {
    using s = setup();
    const limiter = await s.limiterOf(s.open(), { tokensPerDay: 100 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }), async (moves) => {
        s.clock.advance(DAY_MS);
        const inFlight: number[] = [];
        const tokensToday = () => limiter.use()?.tokensToday ?? 0;
        /** What was used when the last turn began, with all turns in flight then. */
        let most = 0;
        for (const tokens of moves) {
          // Even: a turn begins. Odd: the oldest one in flight ends.
          if (tokens % 2 === 1) limiter.turnEnded(inFlight.shift() ?? 0);
          else {
            const usedBefore = tokensToday();
            const isIn = limiter.begin("m", true) === undefined;
            expect(isIn).toBe(usedBefore < 100);
            if (!isIn) continue;
            inFlight.push(tokens);
            most = usedBefore + inFlight.reduce((sum, one) => sum + one, 0);
          }
        }
        for (const tokens of inFlight) limiter.turnEnded(tokens);
        expect(tokensToday()).toBe(most);
      }),
      { numRuns: 50 },
    );
    s.clock.advance(DAY_MS);
    limiter.turnEnded(150);
    expect(limiter.begin("m", true)).toEqual({
      kind: "tokens_per_day",
      tokensPerDay: 100,
      resetMs: startOfDay(s.clock.now(), 1),
    });
    s.clock.advance(startOfDay(s.clock.now(), 1) - s.clock.now());
    expect(limiter.begin("m", true)).toBeUndefined();
    expect(limiter.use()?.tokensToday).toBe(0);
  });

  test("counts nothing for a key without limits", async () => {
    using s = setup();
    const keys = s.open();
    const key = keys.find(await keys.add("free", "client"));
    expect(key?.limiter.begin("m", true)).toBeUndefined();
    key?.limiter.turnEnded(1_000);
    expect(key?.limiter.use()).toBeUndefined();
    await keys.set("free", { limits: { tokensPerDay: 10 } });
    expect(key?.limiter.use()).toMatchObject({ tokensToday: 0, turnsLastMinute: 0 });
  });
});

test("models are those of the patterns, and an expired key begins no turn", async () => {
  using s = setup();
  const models = ["gpt-6*", "o3"];
  const expiresMs = s.clock.now() + 1_000;
  const limiter = await s.limiterOf(s.open(), { models, expiresMs });
  expect(limiter.begin("gpt-6.1", true)).toBeUndefined();
  expect(limiter.begin("gpt-5", true)).toEqual({ kind: "model", model: "gpt-5", models });
  expect(limiter.begin(undefined, false)).toEqual({ kind: "model", model: undefined, models });
  expect(limiter.expiredMs()).toBeUndefined();
  s.clock.advance(1_000);
  expect(limiter.expiredMs()).toBe(expiresMs);
  expect(limiter.begin("gpt-6.1", true)).toEqual({ kind: "expired", expiresMs });
});

describe("what a key has used is kept", () => {
  const limits = { turnsPerMinute: 3, tokensPerDay: 100 };

  test("when the proxy is stopped, and the next one continues with it", async () => {
    using s = setup();
    const first = s.open();
    const secret = await first.add("laptop", "client", undefined, limits);
    const limiter = first.find(secret)?.limiter;
    for (let turn = 0; turn < 3; turn++) limiter?.begin("m", true);
    limiter?.turnEnded(90);
    first.flush();
    s.clock.advance(20_000);
    const second = s.open().find(secret)?.limiter;
    expect(second?.use()).toMatchObject({ turnsLastMinute: 3, tokensToday: 90 });
    expect(second?.begin("m", true)).toMatchObject({ kind: "rpm", waitSeconds: 41 });
    second?.turnEnded(10);
    s.clock.advance(61_000);
    expect(second?.begin("m", true)).toMatchObject({ kind: "tokens_per_day" });
  });

  test("within a second, for a proxy that is killed", async () => {
    using s = setup();
    const keys = s.open();
    const secret = await keys.add("laptop", "client", undefined, limits);
    keys.find(secret)?.limiter.turnEnded(90);
    expect(s.open().find(secret)?.limiter.use()?.tokensToday).toBe(0);
    s.clock.advance(1_000);
    expect(s.open().find(secret)?.limiter.use()?.tokensToday).toBe(90);
  });

  test("only for the same day and the same key", async () => {
    using s = setup();
    const keys = s.open();
    const secret = await keys.add("laptop", "client", undefined, limits);
    keys.find(secret)?.limiter.turnEnded(90);
    await keys.remove("laptop");
    const other = await keys.add("laptop", "client", undefined, limits);
    expect(keys.find(other)?.limiter.use()?.tokensToday).toBe(0);
    keys.find(other)?.limiter.turnEnded(50);
    keys.flush();
    expect(readFileSync(s.usePath, "utf8").match(/"id"/g)).toHaveLength(1);
    s.clock.advance(DAY_MS);
    expect(s.open().find(other)?.limiter.use()).toMatchObject({ tokensToday: 0, turnsLastMinute: 0 });
  });

  test("unless the root belongs to another process", async () => {
    using s = setup();
    const keys = s.open(() => false);
    (await s.limiterOf(keys, limits)).turnEnded(90);
    keys.flush();
    expect(() => readFileSync(s.usePath)).toThrow();
  });

  test("and a damaged file counts as empty, with a warning", async () => {
    using s = setup();
    for (const text of ["", "{}", '{"version":1,"written_ms":0,"keys":[{"id":"x","tokens":-1}]}', "x"]) {
      writeFileSync(s.usePath, text);
      const limiter = await s.limiterOf(s.open(), limits, `k${s.warnings.length}`);
      expect(limiter.use()).toMatchObject({ tokensToday: 0, turnsLastMinute: 0 });
    }
    expect(s.warnings).toHaveLength(4);
    expect(s.warnings[0]).toContain("is damaged; limited keys start again at 0 for today");
  });
});

describe("the file of keys", () => {
  test("has the limits, and fields of newer versions stay when it is written", async () => {
    using s = setup();
    const first = s.open();
    const expiresMs = s.clock.now() + DAY_MS;
    await first.add("laptop", "client", undefined, { expiresMs, models: ["gpt-6*"] });
    const file = JSON.parse(readFileSync(s.path, "utf8")) as { keys: Record<string, unknown>[] };
    Object.assign(file.keys[0] ?? {}, { of_a_newer_version: 1 });
    writeFileSync(s.path, JSON.stringify(file));
    const second = s.open();
    await second.set("laptop", { tags: { tags: ["work"], only: true }, limits: { turnsPerMinute: 5 } });
    expect(JSON.parse(readFileSync(s.path, "utf8"))).toMatchObject({
      keys: [
        {
          of_a_newer_version: 1,
          tags: { tags: ["work"], only: true },
          limits: { expires_ms: expiresMs, rpm: 5, models: ["gpt-6*"] },
        },
      ],
    });
    await second.set("laptop", {
      tags: null,
      limits: { expiresMs: null, models: null, turnsPerMinute: null },
    });
    const [kept] = (JSON.parse(readFileSync(s.path, "utf8")) as typeof file).keys;
    expect(Object.keys(kept ?? {}).sort()).toEqual([
      "created_ms",
      "name",
      "of_a_newer_version",
      "role",
      "sha256",
    ]);
    expect(await s.open().list()).toMatchObject([{ name: "laptop", limits: undefined, use: undefined }]);
  });

  test("refuses limits that make no sense, and changes nothing then", async () => {
    using s = setup();
    const keys = s.open();
    await keys.add("laptop", "client");
    await keys.add("prometheus", "metrics");
    const past = { expiresMs: s.clock.now() };
    const set = (name: string, limits: KeyLimits) => keys.set(name, { limits });
    expect(await outcome(set("laptop", past))).toThrow(
      "limits of the key laptop: the expiry time is in the past",
    );
    expect(await outcome(set("laptop", { turnsPerMinute: 0 }))).toThrow("must be a whole number from 1");
    expect(await outcome(set("prometheus", { tokensPerDay: 5 }))).toThrow(
      "a key with the role metrics sends no turns",
    );
    expect(await outcome(set("desk", {}))).toThrow("there is no key desk");
    expect(await outcome(keys.set("laptop", { tags: { tags: ["a b"], only: false }, limits: {} }))).toThrow(
      "tags of the key laptop",
    );
    expect(await outcome(keys.add("front", "parent", undefined, past))).toThrow("in the past");
    await set("prometheus", { expiresMs: s.clock.now() + 1 });
    expect((await keys.list()).map(({ limits }) => limits)).toEqual([
      undefined,
      { expiresMs: s.clock.now() + 1 },
    ]);
  });

  test("lets an expired key be changed and extended", async () => {
    using s = setup();
    const keys = s.open();
    const limiter = await s.limiterOf(keys, { expiresMs: s.clock.now() + 1 });
    s.clock.advance(10);
    await keys.set("laptop", { limits: { turnsPerMinute: 1 } });
    expect(limiter.expiredMs()).toBeDefined();
    await keys.set("laptop", { limits: { expiresMs: s.clock.now() + 1_000 } });
    expect(limiter.expiredMs()).toBeUndefined();
    expect(limiter.begin("m", true)).toBeUndefined();
  });
});
