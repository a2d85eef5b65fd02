// The usage that the dashboard's page shows: the same figures as `codexlb usage`, also over time.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { remoteUsage } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import type { UsageAnswer } from "../../src/dashboard/messages.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { openSession, type PageSession } from "./browser.ts";

let pool: TestPool;
let session: PageSession;

beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  session = await openSession(pool);
});
afterAll(() => pool[Symbol.asyncDispose]());

const ask = (query: string) => fetch(`${pool.url}/_/usage?${query}`, { headers: { ...session } });
const usage = async (query: string) => (await (await ask(query)).json()) as UsageAnswer;

describe("the usage of the dashboard", () => {
  test("is empty before the first turn", async () => {
    const { report, starts, series, switches, failure } = await usage("since=7d&by=account");
    expect([report.lines, report.total.turns, report.recording]).toEqual([[], 0, "recording"]);
    expect([starts.length, series, switches, failure]).toEqual([7, [], [], undefined]);
  });

  test("has the figures of codexlb usage, over time", async () => {
    for (const text of ["one", "two"]) await createSseClient(pool.url, "session").turn(text);
    pool.mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 503, body: {} } });
    await createSseClient(pool.url, "session").turn("three");
    for (const [since, parts] of [
      ["24h", 25],
      ["7d", 7],
      ["30d", 30],
      ["90d", 90],
      ["52w", 52],
    ] as const) {
      const { report, starts, series } = await usage(`since=${since}&by=account`);
      const { since_ms: sinceMs, until_ms: untilMs } = report;
      // The page has the forecast from its event stream.
      const { forecast: _, ...command } = await remoteUsage(socketDoor(pool.layout.adminSocket), {
        sinceMs,
        untilMs,
        by: "account",
      });
      expect(report).toEqual(command);
      expect([since, report.total.turns, starts.length]).toEqual([since, 3, parts]);
      expect(series.map(({ name }) => name)).toEqual(report.lines.map(({ name }) => name));
      for (const [index, { parts: own }] of series.entries()) {
        expect(own.map(({ name }) => name)).toEqual([...starts]);
        const turns = own.reduce((sum, part) => sum + part.turns, 0);
        expect(turns).toBe(report.lines[index]?.turns as number);
        expect(own.at(-1)?.turns).toBe(turns);
      }
    }
    for (const by of ["model", "project", "session", "key"])
      expect((await usage(`since=7d&by=${by}`)).series.length).toBe(1);
  });

  test("is limited to the groups in its parameters, with the switches of their turns", async () => {
    const { report, series, switches } = await usage("since=7d&by=session&account=alice&session=sess");
    const query = {
      sinceMs: report.since_ms,
      untilMs: report.until_ms,
      by: "session",
      account: "alice",
    } as const;
    const command = await remoteUsage(socketDoor(pool.layout.adminSocket), query);
    expect(report.lines).toEqual(command.lines);
    expect(report.lines).toMatchObject([{ name: "session", turns: 2 }]);
    expect(series.map(({ total }) => total.turns)).toEqual([2]);
    expect(switches).toEqual([]);
    expect((await usage("since=7d&by=model&account=bob")).switches.length).toBe(1);
  });

  test("has the switches within turns", async () => {
    const { switches } = await usage("since=24h&by=model");
    expect(switches).toEqual([{ from: "alice", to: "bob", reason: "http-503", times: 1 }]);
  });

  test.each([
    ["", "since must be one of 24h"],
    ["since=1h&by=account", "since must be one of 24h"],
    ["since=7d&by=day", "by must be one of account"],
  ])("refuses %p", async (query, message) => {
    const response = await ask(query);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(message);
  });

  test("says why turns are not recorded", async () => {
    await using off = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[usage]\nenabled = false\n",
    });
    const headers = { ...(await openSession(off)) };
    const { report } = (await (
      await fetch(`${off.url}/_/usage?since=7d&by=account`, { headers })
    ).json()) as UsageAnswer;
    expect(report.recording).toBe("off");

    await using broken = await startPool({
      accounts: [{ alias: "alice" }],
      prepare: ({ usage: path }) => void mkdirSync(path),
    });
    await createSseClient(broken.url, "session").turn("hello");
    const own = { ...(await openSession(broken)) };
    const path = `${broken.url}/_/usage?since=7d&by=account`;
    const response = await fetch(path, { headers: own });
    expect(response.status).toBe(500);
    expect(await response.text()).toContain("reading the usage database");
    rmSync(broken.layout.usage, { recursive: true });
    const answer = (await (await fetch(path, { headers: own })).json()) as UsageAnswer;
    expect(answer.report.total.turns).toBe(1);
  });
});
