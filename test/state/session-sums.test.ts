// Tests the sums of sessions: they contain each turn of a closed day exactly once, and reports are the same with them.

import type { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { startOfDay } from "../../src/core/local-days.ts";
import { usageLines } from "../../src/core/usage-lines.ts";
import type { UsageQuery } from "../../src/core/usage-report.ts";
import { createUsagePruner } from "../../src/state/usage/prune.ts";
import { turnId } from "../../src/state/usage/schema.ts";
import { createSessionSums, sessionWatermark } from "../../src/state/usage/session-sums.ts";
import { openUsageFile, readUsageFile } from "../../src/state/usage/usage-file.ts";
import { sumUsage } from "../../src/state/usage/usage-query.ts";
import { createUsageStore } from "../../src/state/usage/usage-store.ts";
import { fakeClock } from "../support/clock.ts";
import { recordTurns } from "../support/record-turns.ts";
import { tempDirectory } from "../support/temp.ts";
import { NOON, turnRecord as turn } from "../support/turn-record.ts";

const HOUR_MS = 3_600_000;
const DAYS = 5;

/** Turns of every hour of the last days, in four sessions, with every outcome. */
const TURNS = Array.from({ length: 24 * (DAYS - 1) + 12 }, (_, index) => ({
  startedMs: startOfDay(NOON, 1 - DAYS) + index * HOUR_MS,
  session: `s${index % 4}`,
  servedModel: index % 3 === 0 ? "gpt-5.5" : undefined,
  accountAlias: index % 5 === 0 ? "bob" : "alice",
  client: index % 7 === 0 ? "ci" : undefined,
  project: index % 4 === 0 ? undefined : `/p${index % 4}`,
  kind: index % 11 === 0 ? ("prewarm" as const) : ("turn" as const),
  outcome: (["completed", "cut", "moved", "failed", "completed"] as const)[index % 5] ?? "completed",
  tokens: { input: 1_000 + index, cachedInput: 500 + index, output: 50 + index, reasoning: index },
}));

function recorded() {
  const temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  recordTurns(path, TURNS);
  return { path, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

async function report(database: Database, query: Partial<UsageQuery> = {}) {
  const asked = {
    sinceMs: startOfDay(NOON, -30),
    untilMs: startOfDay(NOON, 1),
    by: "session",
    ...query,
  } as const;
  return usageLines(await sumUsage(database, asked, { nowMs: NOON, keepDays: 90 }), asked.by, {});
}

/** What reports of several periods and filters say. */
async function reports(database: Database) {
  const queries: Partial<UsageQuery>[] = [
    {},
    { each: "day" },
    { account: "bob" },
    { key: "ci" },
    { key: "" },
    { model: "gpt-5.5" },
    { session: "s1" },
    { session: "s1", by: "day" },
    { project: "p1" },
    { sinceMs: NOON - 2 * 24 * HOUR_MS, untilMs: NOON - 5 * HOUR_MS },
    { sinceMs: NOON - 3 * HOUR_MS },
  ];
  return Promise.all(queries.map((query) => report(database, query)));
}

/** The number of turns and tokens in the sums. */
function sumsIn(database: Database) {
  return database
    .query<Record<"turns" | "failed" | "input", number>, []>(
      "SELECT sum(turns) AS turns, sum(failed) AS failed, sum(input_tokens) AS input FROM session_days",
    )
    .get();
}

test("reports are the same with the sums as without, at every step", async () => {
  using usage = recorded();
  using database = openUsageFile(usage.path);
  const expected = await reports(database);
  expect(expected[0]?.total.turns).toBeGreaterThan(50);
  const sums = createSessionSums(database);
  let added = 0;
  for (let count = -1; count !== 0; added += count) {
    count = sums.addSome(NOON, 7);
    expect(await reports(database)).toEqual(expected);
  }
  // Those of today are not added.
  expect(added).toBe(24 * (DAYS - 1));
  expect(sums.isBehind(NOON)).toBe(false);
  sums.finalize();
});

test("an interrupted step changes nothing, and is repeated", async () => {
  using usage = recorded();
  using database = openUsageFile(usage.path);
  const expected = await reports(database);
  const sums = createSessionSums(database);
  for (const table of ["session_days", "session_watermark"]) {
    sums.addSome(NOON, 10);
    const before = [sumsIn(database), sessionWatermark(database)];
    const change = table === "session_days" ? "INSERT" : "UPDATE";
    database.run(
      `CREATE TRIGGER failure BEFORE ${change} ON ${table} BEGIN SELECT RAISE(ABORT, 'injected'); END`,
    );
    expect(() => sums.addSome(NOON, 10)).toThrow("injected");
    expect([sumsIn(database), sessionWatermark(database)]).toEqual(before);
    database.run("DROP TRIGGER failure");
  }
  while (sums.addSome(NOON, 10) > 0);
  expect(await reports(database)).toEqual(expected);
  sums.finalize();
});

function openStore(path: string, nowMs = NOON) {
  const clock = fakeClock(nowMs);
  const store = createUsageStore({
    path,
    deps: { clock, log: { info: () => {}, warn: () => {} } },
    events: { append: () => {} },
    owner: { isOurs: () => true },
    settings: () => ({ enabled: true, keepDays: 90 }),
    identityOf: () => undefined,
  });
  const reader = (): Database => {
    const database = store.reader();
    if (database === undefined) throw new Error("there is no database");
    return database;
  };
  return { clock, store, reader };
}

test("the store adds closed days in the background, and late turns with their write", async () => {
  using usage = recorded();
  const { clock, store, reader } = openStore(usage.path);
  const isSummed = () => sessionWatermark(reader()) > turnId(startOfDay(NOON, -1), 4_095);
  store.add(turn({ startedMs: NOON }));
  clock.advance(250);
  expect(isSummed()).toBe(false);
  for (let step = 0; step < 2 * DAYS; step++) clock.advance(50);
  expect(isSummed()).toBe(true);
  const before = [sumsIn(reader())?.turns ?? 0, (await report(reader())).total.turns];
  store.add(turn({ startedMs: NOON - 24 * HOUR_MS, session: "s1" }));
  store.add(turn({ startedMs: NOON - 24 * HOUR_MS, session: "late", outcome: "failed" }));
  store.add(turn({ startedMs: NOON }));
  clock.advance(250);
  expect([sumsIn(reader())?.turns, (await report(reader())).total.turns]).toEqual([
    (before[0] ?? 0) + 2,
    (before[1] ?? 0) + 3,
  ]);
  expect((await report(reader())).lines.find(({ name }) => name === "late")).toMatchObject({
    turns: 1,
    failed: 1,
    input_tokens: 1_000,
  });
  store.stop();
});

test("a file of an older version is read without the sums, and gets them", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  using usage = recorded();
  {
    using database = openUsageFile(usage.path);
    database.run("DROP TABLE session_days; DROP TABLE session_watermark; PRAGMA user_version = 2");
    database.run(`VACUUM INTO '${path}'`);
  }
  {
    using old = readUsageFile(path);
    if (old === undefined) throw new Error("there is no database");
    expect((await report(old)).total.turns).toBeGreaterThan(50);
  }
  using database = openUsageFile(path);
  const expected = await reports(database);
  const sums = createSessionSums(database);
  while (sums.addSome(NOON) > 0);
  expect(sumsIn(database)?.turns).toBeGreaterThan(50);
  expect(await reports(database)).toEqual(expected);
  sums.finalize();
});

test("the sums of a day are deleted with its last turn", () => {
  using usage = recorded();
  using database = openUsageFile(usage.path);
  const sums = createSessionSums(database);
  while (sums.addSome(NOON) > 0);
  const days = () =>
    database.query<{ day: string }, []>("SELECT DISTINCT day FROM session_days ORDER BY day").all().length;
  expect(days()).toBe(DAYS - 1);
  const clock = fakeClock(NOON);
  createUsagePruner(clock)(database, 3);
  expect(days()).toBe(2);
  createUsagePruner(clock, 1)(database, 3);
  // No turn is left, also none of today.
  expect(days()).toBe(0);
  sums.finalize();
});
