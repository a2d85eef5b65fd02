// Tests the file with the records of turns: sums, migrations, old and unusable files, and failed writes.

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { withDatabase } from "../../src/admin/read-usage.ts";
import { dayOf, startOfDay } from "../../src/core/local-days.ts";
import { usageLines } from "../../src/core/usage-lines.ts";
import type { UsageFilters, UsageGrouping, UsageQuery } from "../../src/core/usage-report.ts";
import { filesSetAside } from "../../src/state/usage/files-set-aside.ts";
import { createUsagePruner } from "../../src/state/usage/prune.ts";
import { MIGRATIONS, migrate } from "../../src/state/usage/schema.ts";
import { countSwitches } from "../../src/state/usage/switch-query.ts";
import { readUsageFile } from "../../src/state/usage/usage-file.ts";
import { sumUsage } from "../../src/state/usage/usage-query.ts";
import { createUsageStore, type UsageStore } from "../../src/state/usage/usage-store.ts";
import { MOST_ROWS_OF_DAY } from "../../src/state/usage/usage-writer.ts";
import { fakeClock } from "../support/clock.ts";
import { recordedTurns } from "../support/recorded-turns.ts";
import { tempDirectory } from "../support/temp.ts";
import { NOON, turnRecord as turn } from "../support/turn-record.ts";

const DAY_MS = 86_400_000;

function open(settings = { enabled: true, keepDays: 90 }) {
  const temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  const clock = fakeClock(NOON);
  const warnings: string[] = [];
  const events: string[] = [];
  const store = (): UsageStore =>
    createUsageStore({
      path,
      deps: { clock, log: { info: () => {}, warn: (message) => void warnings.push(message) } },
      events: { append: (event) => void events.push(event) },
      owner: { isOurs: () => true },
      settings: () => settings,
      identityOf: (id) => `hash of ${id}`,
    });
  return { temp, path, clock, warnings, events, store, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

async function report(database: Database | undefined, query: Partial<UsageQuery> = {}) {
  if (database === undefined) throw new Error("there is no database");
  const asked = { sinceMs: startOfDay(NOON, -6), untilMs: startOfDay(NOON, 1), by: "day", ...query } as const;
  const sums = await sumUsage(database, asked, { nowMs: NOON, keepDays: 90 });
  return usageLines(sums, asked.by, {});
}

/** Overwrites everything but the first page, with which the file can still be opened. */
function damageLaterPages(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0x55, 4_096);
  writeFileSync(path, bytes);
}

describe("the usage database", () => {
  test("limits a report to groups, by whole names and by parts of names", async () => {
    using usage = open();
    const store = usage.store();
    const of = (project: string | undefined, session: string, minutes: number, failsOver: boolean) =>
      turn({
        startedMs: NOON + minutes * 60_000,
        project,
        session,
        switches: failsOver ? [{ from: "alice", to: session, reason: "http-503" }] : [],
      });
    store.add(of(undefined, "0199-a", 0, true));
    store.add(of("/src/shop", "0199-a", 2, false));
    store.add(of("/src/shop", "0199-b", 1, true));
    store.add(of("/src/workshop", "0200", 3, false));
    const database = store.reader();
    const count = async (filters: UsageFilters) => {
      const turns = (by: UsageGrouping) =>
        report(database, { ...filters, by }).then(({ total }) => total.turns);
      return [await turns("day"), await turns("session")];
    };
    expect(await count({ project: "/src/shop" })).toEqual([2, 2]);
    expect(await count({ project: "shop" })).toEqual([2, 2]);
    expect(await count({ project: "src/workshop" })).toEqual([1, 1]);
    expect(await count({ project: "hop" })).toEqual([0, 0]);
    expect(await count({ session: "0199" })).toEqual([3, 3]);
    expect(await count({ session: "0199-b", project: "shop" })).toEqual([1, 1]);
    expect(await count({ session: "a" })).toEqual([0, 0]);
    expect(await count({ key: "" })).toEqual([4, 4]);
    expect(await count({ project: "" })).toEqual([1, 1]);
    expect(await count({ session: "" })).toEqual([0, 0]);
    expect(await count({ account: "" })).toEqual([0, 0]);
    const switched = async (filters: UsageFilters) => {
      if (database === undefined) throw new Error("there is no database");
      const query = { sinceMs: NOON, untilMs: startOfDay(NOON, 1), ...filters };
      return (await countSwitches(database, query, NOON)).map(({ to }) => to);
    };
    expect(await switched({ project: "shop", account: "alice", model: "gpt-5", key: "" })).toEqual([
      "0199-b",
    ]);
    expect(await switched({ model: "other" })).toEqual([]);
    store.stop();
  });

  test("says of a session its project, and when it began and was last used", async () => {
    using usage = open();
    const store = usage.store();
    const at = [NOON - DAY_MS, NOON, NOON + 5_000];
    for (const [index, startedMs] of at.entries())
      store.add(
        turn({ startedMs, project: index === 1 ? undefined : "/src/shop", servedModel: `m${index}` }),
      );
    const { lines, total } = await report(store.reader(), { by: "session" });
    expect(lines).toMatchObject([{ name: "s1", project: "/src/shop", first_ms: at[0], last_ms: at[2] }]);
    expect(total.first_ms).toBeUndefined();
    expect((await report(store.reader(), { by: "project" })).lines[0]?.first_ms).toBeUndefined();
    store.stop();
  });

  test("sums hours and days separately", async () => {
    using usage = open();
    const store = usage.store();
    const HOUR_MS = 3_600_000;
    for (const hoursAgo of [0, 1, 1, 30]) store.add(turn({ startedMs: NOON - hoursAgo * HOUR_MS }));
    store.add(turn({ accountAlias: "bob", startedMs: NOON - HOUR_MS }));
    const database = store.reader();
    if (database === undefined) throw new Error("there is no database");
    const sumsOf = async (each: "hour" | "day", sinceMs: number) =>
      [
        ...(await sumUsage(
          database,
          { sinceMs, untilMs: startOfDay(NOON, 1), by: "account", each },
          { nowMs: NOON, keepDays: 90 },
        )),
      ]
        .map(({ time, name, turns }) => [time, name, turns])
        .sort();
    const [today, yesterday] = [dayOf(NOON), dayOf(NOON - DAY_MS)];
    expect(await sumsOf("day", startOfDay(NOON, -6))).toEqual([
      [yesterday, "alice", 1],
      [today, "alice", 3],
      [today, "bob", 1],
    ]);
    expect(await sumsOf("hour", NOON - 24 * HOUR_MS)).toEqual([
      [`${today}T11:00`, "alice", 2],
      [`${today}T11:00`, "bob", 1],
      [`${today}T12:00`, "alice", 1],
    ]);
  });

  test("counts the switches within turns", async () => {
    using usage = open();
    const store = usage.store();
    const one = { from: "alice", to: "bob", reason: "usage-limit" };
    const other = { from: "bob", to: "carol", reason: "http-503" };
    store.add(turn({ switches: [one, other] }));
    store.add(turn({ switches: [one], startedMs: NOON - 20 * DAY_MS }));
    store.add(turn());
    // Longer than its column, which cuts it.
    store.add(turn({ switches: Array.from({ length: 100 }, () => one) }));
    const database = store.reader();
    if (database === undefined) throw new Error("there is no database");
    const counted = (days: number) =>
      countSwitches(database, { sinceMs: startOfDay(NOON, 1 - days), untilMs: startOfDay(NOON, 1) }, NOON);
    expect(await counted(30)).toEqual([
      { ...one, times: 2 },
      { ...other, times: 1 },
    ]);
    expect(await counted(7)).toEqual([
      { ...one, times: 1 },
      { ...other, times: 1 },
    ]);
  });

  test("is written a moment later, and only its owner can read it", () => {
    using usage = open();
    const store = usage.store();
    store.add(turn());
    expect(existsSync(usage.path)).toBe(false);
    usage.clock.advance(250);
    expect(recordedTurns(usage.path)).toMatchObject([
      { account: "alice", identity: "hash of openai:alice", input_tokens: 1_000 },
    ]);
    for (const name of readdirSync(usage.temp.path))
      expect([name, statSync(join(usage.temp.path, name)).mode & 0o777]).toEqual([name, 0o600]);
    store.stop();
    expect(readdirSync(usage.temp.path)).toEqual(["usage.db"]);
  });

  test("can be read without a trace while no proxy runs", async () => {
    using usage = open();
    const store = usage.store();
    store.add(turn());
    store.stop();
    const bytes = readFileSync(usage.path);
    using database = readUsageFile(usage.path);
    expect((await report(database)).total.turns).toBe(1);
    expect(readdirSync(usage.temp.path)).toEqual(["usage.db"]);
    expect(readFileSync(usage.path).equals(bytes)).toBe(true);
  });

  test("sums turns by every grouping", async () => {
    using usage = open();
    const store = usage.store();
    store.add(turn());
    store.add(turn({ startedMs: NOON - DAY_MS, accountAlias: "bob", servedModel: "gpt-5.5", client: "ci" }));
    store.add(turn({ outcome: "failed", tokens: undefined, firstOutputMs: undefined, session: "s2" }));
    store.add(turn({ kind: "prewarm", tokens: { input: 0, cachedInput: 0, output: 0, reasoning: 0 } }));
    store.add(turn({ accountAlias: undefined, accountId: undefined, proxy: undefined, outcome: "refused" }));
    const names = async (query: Partial<UsageQuery>) =>
      (await report(store.reader(), query)).lines.map(({ name, turns, failed }) => [name, turns, failed]);
    expect(await names({})).toEqual([
      [dayOf(NOON - DAY_MS), 1, 0],
      [dayOf(NOON), 3, 2],
    ]);
    expect((await names({ by: "account" })).sort()).toEqual([
      ["", 1, 1],
      ["alice", 2, 1],
      ["bob", 1, 0],
    ]);
    expect((await names({ by: "model" })).sort()).toEqual([
      ["gpt-5", 3, 2],
      ["gpt-5.5", 1, 0],
    ]);
    expect((await names({ by: "session" })).sort()).toEqual([
      ["s1", 3, 1],
      ["s2", 1, 1],
    ]);
    expect((await names({ by: "key" })).sort()).toEqual([
      ["", 3, 2],
      ["ci", 1, 0],
    ]);
    expect(await names({ by: "project" })).toEqual([["/home/u/project", 4, 2]]);
    expect(await names({ account: "bob" })).toEqual([[dayOf(NOON - DAY_MS), 1, 0]]);
    expect(await names({ key: "ci", by: "key" })).toEqual([["ci", 1, 0]]);
    expect(await names({ account: "alice", model: "gpt-5", by: "session" })).toEqual([
      ["s1", 1, 0],
      ["s2", 1, 1],
    ]);
    // A part of a day comes from the single turns.
    expect(await names({ sinceMs: NOON - DAY_MS + 1, untilMs: NOON + 1 })).toEqual([[dayOf(NOON), 3, 2]]);
    expect(await names({ sinceMs: NOON + 1 })).toEqual([]);
    const { total } = await report(store.reader());
    expect(total).toMatchObject({
      turns: 4,
      failed: 2,
      input_tokens: 3_000,
      cached_input_tokens: 2_400,
      output_tokens: 150,
      reasoning_tokens: 30,
      first_output_ms: 200,
      unpriced_turns: 0,
    });
    // gpt-5 twice: 200 x 1.25 + 800 x 0.125 + 50 x 10, and gpt-5.5 once: 200 x 5 + 800 x 0.5 + 50 x 30, per million.
    expect(total.estimated_cost_usd).toBeCloseTo((2 * 850 + 2_900) / 1e6, 9);
    store.stop();
  });

  test("keeps the sums of days whose single turns are deleted", async () => {
    using usage = open();
    const store = usage.store();
    const old = NOON - 91 * DAY_MS;
    store.add(turn({ startedMs: old }));
    store.add(turn());
    usage.clock.advance(250);
    usage.clock.advance(20_000);
    store.add(turn());
    usage.clock.advance(250);
    const database = store.reader();
    expect((await report(database, { sinceMs: 0 })).total.turns).toBe(3);
    expect((await report(database, { sinceMs: 0, by: "session" })).total.turns).toBe(2);
    // A part of a day without single turns counts as the whole day.
    expect((await report(database, { sinceMs: old + 1, untilMs: old + 2 })).total.turns).toBe(1);
    expect(recordedTurns(usage.path).map(({ started_ms }) => started_ms)).toEqual([NOON, NOON]);
    store.stop();
  });

  test("deletes the oldest turns, some at a time, when the file is too large", () => {
    using usage = open();
    const store = usage.store();
    const sessions = Array.from({ length: 1_200 }, (_, index) => String(index));
    for (const [index, session] of sessions.entries()) store.add(turn({ session, startedMs: NOON + index }));
    const database = store.reader();
    if (database === undefined) throw new Error("there is no database");
    const prune = createUsagePruner(usage.clock, 12);
    const left = () => recordedTurns(usage.path).map(({ session }) => session);
    prune(database, 90);
    expect(left()).toEqual(sessions.slice(500));
    for (let round = 0; round < 3; round++) prune(database, 90);
    const kept = left();
    expect(kept.length).toBeLessThan(700);
    expect(kept).toEqual(sessions.slice(-kept.length));
    store.stop();
  });

  test("counts the combinations beyond a day's limit together", async () => {
    using usage = open();
    const store = usage.store();
    const more = 50;
    for (let index = 0; index < MOST_ROWS_OF_DAY + more; index++)
      store.add(turn({ project: `/p/${index}`, requestedModel: `m${index}` }));
    store.flush();
    const { lines, total } = await report(store.reader(), { by: "model" });
    expect(total.turns).toBe(MOST_ROWS_OF_DAY + more);
    const rows = store.reader()?.query<{ count: number }, []>("SELECT count(*) AS count FROM days").get();
    expect(rows?.count).toBe(MOST_ROWS_OF_DAY + 1);
    // The report itself has a bound, too.
    expect(lines.length).toBe(1_001);
    expect(lines.at(-1)?.name).toBe("(others)");
    store.stop();
  });

  test("drops turns when too many wait", () => {
    using usage = open();
    const store = usage.store();
    for (let index = 0; index < 20_010; index++) store.add(turn({ startedMs: NOON + index }));
    expect(usage.warnings).toEqual([]);
    expect(store.health()).toEqual({ kind: "recording" });
    expect(store.backlog()).toEqual({ oldestMs: NOON + turn().durationMs, dropped: 10 });
    store.stop();
    expect(store.backlog()).toEqual({ oldestMs: undefined, dropped: 10 });
    expect(recordedTurns(usage.path).length).toBe(20_000);
  });
});

describe("a usage database that cannot be used", () => {
  const set = (usage: ReturnType<typeof open>) =>
    readdirSync(usage.temp.path).filter((name) => name.includes(".unusable-"));

  test.each([
    [
      "a text file",
      (path: string) => writeFileSync(path, "this is not a database, and it is long enough ".repeat(30)),
    ],
    [
      "the database of another program",
      (path: string) => {
        using database = new Database(path);
        database.run("CREATE TABLE turns (x)");
      },
    ],
  ])("is set aside with one warning and one event: %s", (_name, write) => {
    using usage = open();
    write(usage.path);
    const before = readFileSync(usage.path);
    const store = usage.store();
    store.add(turn());
    usage.clock.advance(250);
    store.add(turn());
    usage.clock.advance(250);
    store.stop();
    expect(recordedTurns(usage.path).length).toBe(2);
    const [aside = "", ...others] = set(usage);
    expect(others).toEqual([]);
    expect(readFileSync(join(usage.temp.path, aside)).equals(before)).toBe(true);
    expect(usage.warnings.length).toBe(1);
    expect(usage.events).toEqual(["usage.file_set_aside"]);
  });

  test("is set aside if it is damaged while the proxy runs", () => {
    using usage = open();
    const first = usage.store();
    for (let index = 0; index < 500; index++) first.add(turn({ session: `session ${index}` }));
    first.stop();
    damageLaterPages(usage.path);
    const store = usage.store();
    for (let round = 0; round < 3; round++) {
      store.add(turn());
      usage.clock.advance(10_000);
    }
    store.stop();
    expect(set(usage).length).toBe(1);
    expect(recordedTurns(usage.path).length).toBe(3);
    expect(usage.events.filter((event) => event === "usage.file_set_aside").length).toBe(1);
  });

  test("is set aside if a query finds that it is damaged, and only once", async () => {
    using usage = open();
    const first = usage.store();
    for (let index = 0; index < 500; index++) first.add(turn({ session: `session ${index}` }));
    first.stop();
    damageLaterPages(usage.path);
    const store = usage.store();
    const readingOf = () =>
      withDatabase({ usage: store }, async (database) => database && report(database, { by: "session" }));
    expect(await Promise.all([readingOf(), readingOf()])).toEqual([undefined, undefined]);
    expect(filesSetAside(usage.path)).toEqual([
      { path: join(usage.temp.path, set(usage)[0] ?? ""), atMs: NOON },
    ]);
    expect(usage.events).toEqual(["usage.file_set_aside"]);
    store.add(turn());
    expect((await readingOf())?.total.turns).toBe(1);
    expect(set(usage).length).toBe(1);
    store.stop();
  });

  test("stays as it is if a newer version wrote it, and turns are not recorded", () => {
    using usage = open();
    const first = usage.store();
    first.add(turn());
    first.stop();
    {
      using database = new Database(usage.path);
      database.run("PRAGMA user_version = 99");
    }
    const store = usage.store();
    store.add(turn());
    usage.clock.advance(250);
    expect(store.health()).toMatchObject({ kind: "failing", why: expect.stringContaining("newer version") });
    usage.clock.advance(60_000);
    store.stop();
    expect(usage.warnings.length).toBe(1);
    expect(recordedTurns(usage.path).length).toBe(1);
    expect(set(usage)).toEqual([]);
  });

  test("is reported once, and written again when that is possible", () => {
    using usage = open();
    const store = usage.store();
    store.add(turn());
    usage.clock.advance(250);
    using blocker = new Database(usage.path);
    blocker.run("BEGIN IMMEDIATE");
    for (let round = 0; round < 3; round++) {
      store.add(turn());
      usage.clock.advance(10_000);
    }
    expect(store.health()).toMatchObject({ kind: "failing" });
    expect(usage.warnings.length).toBe(1);
    blocker.run("ROLLBACK");
    usage.clock.advance(10_000);
    expect(store.health()).toEqual({ kind: "recording" });
    expect(usage.events).toEqual(["usage.write_failed", "usage.write_resumed"]);
    store.stop();
    expect(recordedTurns(usage.path).length).toBe(4);
  });
});

test("a store whose root was moved writes and deletes nothing", () => {
  using usage = open();
  let isOurs = true;
  const store = createUsageStore({
    path: usage.path,
    deps: { clock: usage.clock, log: { info: () => {}, warn: () => {} } },
    events: { append: () => {} },
    owner: { isOurs: () => isOurs },
    settings: () => ({ enabled: true, keepDays: 90 }),
    identityOf: () => undefined,
  });
  store.add(turn());
  store.flush();
  const aside = join(usage.temp.path, "moved");
  mkdirSync(aside);
  for (const name of readdirSync(usage.temp.path))
    if (name !== "moved") renameSync(join(usage.temp.path, name), join(aside, name));
  writeFileSync(`${usage.path}-wal`, "another root's");
  isOurs = false;
  store.add(turn());
  usage.clock.advance(250);
  store.stop();
  expect(readdirSync(usage.temp.path).sort()).toEqual(["moved", "usage.db-wal"]);
  expect(readFileSync(`${usage.path}-wal`, "utf8")).toBe("another root's");
  expect(recordedTurns(join(aside, "usage.db")).length).toBe(1);
});

describe("migrations", () => {
  test("apply the steps that a file has not had, once", () => {
    using database = new Database(":memory:");
    migrate(database);
    database.run(
      "INSERT INTO days SELECT '2026-01-01','','','','','','','turn','completed',1,1,1,1,1,1,1,1,1",
    );
    const steps = [...MIGRATIONS, "ALTER TABLE days ADD COLUMN more INTEGER NOT NULL DEFAULT 7"];
    migrate(database, steps);
    migrate(database, steps);
    expect(database.query("SELECT turns, more FROM days").all()).toEqual([{ turns: 1, more: 7 }]);
    expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: steps.length });
  });

  test("change nothing if a step fails", () => {
    using database = new Database(":memory:");
    migrate(database);
    const steps = [...MIGRATIONS, "CREATE TABLE more (x); SELECT * FROM missing"];
    expect(() => migrate(database, steps)).toThrow("missing");
    expect(database.query("SELECT name FROM sqlite_master WHERE name = 'more'").all()).toEqual([]);
    expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: MIGRATIONS.length });
  });
});
