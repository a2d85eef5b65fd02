// `codexlb proxy logs` for people and for scripts, with and without a running proxy.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../../src/mock/client.ts";
import { runCli } from "../../support/cli.ts";
import { limitBody, startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let pool: TestPool;
beforeAll(async () => {
  temp = tempDirectory();
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await createSseClient(pool.url, "first").turn("hello");
  const answer = { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 3 * 3_600) } };
  pool.mock.faults.add({ on: "turn", account: "alice", times: 1, answer });
  await createSseClient(pool.url, "second").turn("hello");
  await pool.accounts.serve("bob", "drain");
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const logs = (args: readonly string[], terminal?: number) =>
  runCli(["proxy", "logs", "--root", pool.layout.root, ...args], {
    cwd: temp.path,
    env: { NO_COLOR: "1" },
    ...(terminal === undefined ? {} : { terminal }),
  });
const eventsIn = (out: string) =>
  out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { event: string; ts: string; fields: Record<string, unknown> });

test("a terminal gets the switches and failures, one line each", async () => {
  const { out } = await logs([], 100);
  expect(out).toMatch(/^\d\d:\d\d:\d\d {2}alice {9}cooling down for 3 h \(5h limit\)$/m);
  expect(out).toMatch(/^\d\d:\d\d:\d\d {2}bob {11}took over from alice \(5h limit\)$/m);
  expect(out).toMatch(/ {2}bob {11}draining \(no new sessions\)/);
  expect(out).not.toContain("request.received");
  expect((await logs(["--all"], 100)).out).toContain("request.received");
  expect((await logs(["--tail", "1"], 100)).out.trimEnd().split("\n")).toHaveLength(1);
  expect(eventsIn((await logs(["--json"], 100)).out).length).toBeGreaterThan(5);
});

test("the same switch, which several requests report, is one line", async () => {
  const root = join(temp.path, "repeated");
  const at = (account: string, number: number) => ({
    ts: "2026-01-02T03:04:05Z",
    event: "request.switched",
    fields: { account_id: `openai:${account}`, req_id: number, switch_reason: "usage-fallback" },
  });
  const events = [at("alice", 1), at("alice", 2), at("bob", 3), at("bob", 4), at("alice", 5)];
  await Bun.write(
    join(root, "logs", "proxy.current.jsonl"),
    events.map((event) => `${JSON.stringify(event)}\n`).join(""),
  );
  const { out } = await runCli(["proxy", "logs", "--root", root], { cwd: temp.path, terminal: 100 });
  expect(
    Bun.stripANSI(out)
      .split("\n")
      .map((line) => line.split(/ +/)[2]),
  ).toEqual(["alice", "bob", "alice", undefined]);
  const all = await runCli(["proxy", "logs", "--root", root, "--all"], { cwd: temp.path, terminal: 100 });
  expect(all.out.trimEnd().split("\n")).toHaveLength(5);
});

test("a terminal names the account that served the turn, not those to which its socket moved before", async () => {
  const root = join(temp.path, "moved");
  const moved = (from: string, to: string) => ({
    event: "websocket.moved",
    fields: { account_id: `openai:${to}`, from_account_id: `openai:${from}`, req_id: 1 },
  });
  const switched = (to: string, fields: object) => ({
    event: "request.switched",
    fields: { account_id: `openai:${to}`, req_id: 1, to, ...fields },
  });
  const events = [
    moved("carol", "alice"),
    moved("alice", "bob"),
    switched("bob", {
      switch_reason: "usage-fallback",
      from: "carol",
      reason: "usage-limit",
      window: "daily",
    }),
    switched("carol", { switch_reason: "pinned", from: "bob", reason: "pinned" }),
  ];
  await Bun.write(
    join(root, "logs", "proxy.current.jsonl"),
    events.map((event) => `${JSON.stringify({ ts: "2026-01-02T03:04:05Z", ...event })}\n`).join(""),
  );
  const linesOf = async (args: readonly string[]) => {
    const how = { cwd: temp.path, env: { NO_COLOR: "1" }, terminal: 100 };
    const { out } = await runCli(["proxy", "logs", "--root", root, ...args], how);
    return out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/).slice(1).join("  "));
  };
  expect(await linesOf([])).toEqual([
    "bob  took over from carol (5h limit)",
    "carol  took over from bob (carol is pinned)",
  ]);
  expect((await linesOf(["--all"])).slice(0, 2)).toEqual([
    "alice  opened a connection, replacing carol's connection",
    "bob  opened a connection, replacing alice's connection",
  ]);
});

test("a pipe gets the log as it is", async () => {
  const { out } = await logs(["--tail", "0"]);
  expect(eventsIn(out).map(({ event }) => event)).toEqual(
    expect.arrayContaining(["proxy.started", "request.received", "account.cooldown"]),
  );
});

test("events are selected by account, session, time and level", async () => {
  const alice = eventsIn((await logs(["--account", "alice"])).out);
  expect(alice.length).toBeGreaterThan(1);
  const ofOthers = alice.filter(({ fields }) => fields.account_id !== "openai:alice");
  expect(ofOthers).toMatchObject([{ event: "request.switched", fields: { from: "alice", to: "bob" } }]);
  const session = eventsIn((await logs(["--session", "second"])).out);
  expect(session.map(({ event }) => event)).toEqual(
    expect.arrayContaining(["request.account_selected", "account.cooldown", "request.completed"]),
  );
  expect(new Set(session.map(({ fields }) => fields.req_id)).size).toBe(1);
  expect((await logs(["--session", "third"])).out).toBe("");
  const warnings = eventsIn((await logs(["--level", "warn"])).out).map(({ event }) => event);
  expect(warnings).toContain("account.cooldown");
  expect(warnings).not.toContain("request.completed");
  expect((await logs(["--since", "2999-01-01"])).out).toBe("");
  expect(eventsIn((await logs(["--since", "1h", "--level", "warn"])).out).length).toBe(warnings.length);
  expect(eventsIn((await logs(["--level", "warn", "--tail", "1"])).out)).toHaveLength(1);
});

test("the beginning of a session's id selects it if no other session begins so", async () => {
  const root = join(temp.path, "sessions");
  const line = (session: string, event: string, id: number) =>
    `${JSON.stringify({ ts: "2026-01-02T03:04:05Z", event, fields: { session, req_id: id, account_id: "openai:bob" } })}\n`;
  const log =
    line("019ac3f2-1b2c-one", "request.received", 1) +
    line("019ac3f2-9d00-two", "request.received", 2) +
    line("019ac3f2-1b2c-one", "request.switched", 1);
  await Bun.write(join(root, "logs", "proxy.current.jsonl"), log);
  const of = (session: string, terminal?: number) =>
    runCli(["proxy", "logs", "--root", root, "--session", session], {
      cwd: temp.path,
      env: { NO_COLOR: "1" },
      ...(terminal === undefined ? {} : { terminal }),
    });
  expect(eventsIn((await of("019ac3f2-1b2c")).out)).toHaveLength(2);
  expect(await of("019ac3f2")).toMatchObject({
    code: 2,
    err:
      'codexlb: flag --session: 2 session ids begin with "019ac3f2"\n' +
      "  give more characters of the id: 019ac3f2-1b2c-one, 019ac3f2-9d00-two\n",
  });
  const shown = (await of("019ac3f2-1b2c", 100)).out;
  expect(shown).toContain("took over from");
  expect(shown).not.toContain("request.received");
  const quiet = (await of("019ac3f2-9d00", 120)).out;
  expect(quiet).toContain("no switch or failure in the log matches --session 019ac3f2-9d00; --all shows");
});

test("wrong selections are refused", async () => {
  expect((await logs(["--level", "loud"])).err).toBe(
    'codexlb: flag --level: "loud" is not a level\n  levels: error, warn, info, debug\n',
  );
  expect(await logs(["--since", "yesterday"])).toMatchObject({
    code: 2,
    err: expect.stringMatching(
      /^codexlb: flag --since: "yesterday" is not a time\n {2}write a date \(2026-11-28\), .*7d/,
    ),
  });
});

test("stderr has the reason why there is nothing to show, and stdout has nothing", async () => {
  const zed = await logs(["--account", "zed", "--level", "info"], 120);
  expect(zed).toMatchObject({
    code: 0,
    out: 'codexlb: no event in the log matches --account zed --level info\ncodexlb: no account is called "zed"; known accounts: alice, bob\n',
  });
  expect((await logs(["--account", "alice", "--since", "2999-01-01"], 120)).out).toBe(
    "codexlb: no event in the log matches --account alice --since 2999-01-01\n",
  );
  expect(await logs(["--account", "alic"])).toEqual({
    code: 0,
    out: "",
    err: 'codexlb: no event in the log matches --account alic\ncodexlb: no account is called "alic"; did you mean alice?\n',
  });
  expect(await logs(["--session", "s9"])).toEqual({
    code: 0,
    out: "",
    err: `codexlb: no event in the log matches --session s9\ncodexlb: for the ids of sessions, run: codexlb usage --root ${pool.layout.root} --by session\n`,
  });
});

test("--tail counts the selected events, not the lines of the log", async () => {
  const root = join(temp.path, "busy");
  const line = (event: string, account: string) =>
    `${JSON.stringify({ ts: "2026-01-02T03:04:05Z", event, fields: { account_id: `openai:${account}`, req_id: 1, switch_reason: "usage-fallback" } })}\n`;
  const log = line("request.switched", "alice") + line("request.completed", "bob").repeat(300);
  await Bun.write(join(root, "logs", "proxy.current.jsonl"), log);
  const ran = await runCli(["proxy", "logs", "--root", root, "--account", "alice"], { cwd: temp.path });
  expect(eventsIn(ran.out)).toHaveLength(1);
});

test("text that others wrote cannot control the terminal", async () => {
  const path = join(temp.path, "quiet", "logs", "proxy.current.jsonl");
  const event = { ts: "2026-01-02T03:04:05Z", event: "request.failed", fields: { error: "a\u001b[31mb\nc" } };
  await Bun.write(path, `${JSON.stringify(event)}\nno event\n`);
  writeFileSync(join(temp.path, "quiet", "config.toml"), '[proxy]\nlisten = "127.0.0.1:1"\n');
  const { out } = await runCli(["proxy", "logs", "--root", join(temp.path, "quiet")], {
    cwd: temp.path,
    env: { NO_COLOR: "1" },
    terminal: 100,
  });
  expect(out).toMatch(
    /^2026-01-0\d \d\d:\d\d:\d\d {2}- +a request was refused with status 500 \(a \[31mb c\)\nno event\n$/,
  );
});
