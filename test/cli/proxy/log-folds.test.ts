// Repeated failures in `codexlb proxy logs` on a terminal.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { logOutput } from "../../../src/cli/proxy/log-output.ts";
import { runCli } from "../../support/cli.ts";
import { fakeClock } from "../../support/clock.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

const at = (minute: number, event: string, account: string, fields: object = {}) =>
  `${JSON.stringify({
    ts: new Date(Date.UTC(2026, 0, 2, 10, minute, 9)).toISOString(),
    event,
    fields: { account_id: `openai:${account}`, req_id: minute, ...fields },
  })}\n`;
const cooldown = (minute: number, account: string, seconds: number, reason = "http-503") =>
  at(minute, "account.cooldown", account, { reason, cooldown_seconds: seconds });

const LOG = [
  cooldown(4, "alice", 5),
  cooldown(5, "alice", 10),
  cooldown(9, "alice", 20),
  cooldown(10, "bob", 5),
  cooldown(11, "alice", 40),
  cooldown(12, "alice", 60, "http-500"),
  at(13, "account.enabled", "alice"),
  at(14, "request.transport_error", "alice", { error: "connection reset" }),
  at(15, "request.transport_error", "alice", { error: "connection reset" }),
];

const withoutDay = (out: string) =>
  Bun.stripANSI(out)
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/2026-01-02 /g, "")
        .replaceAll(/\s+/g, " ")
        .trim(),
    );

test("a terminal gets one line for the same failure of the same account in a row", async () => {
  const root = join(temp.path, "root");
  await Bun.write(join(root, "logs", "proxy.current.jsonl"), LOG.join(""));
  const logs = async (terminal: number | undefined, ...args: readonly string[]) =>
    runCli(["proxy", "logs", "--root", root, ...args], {
      cwd: temp.path,
      env: { TZ: "UTC", NO_COLOR: "1" },
      ...(terminal === undefined ? {} : { terminal }),
    });
  const folded = [
    "10:09:09 alice cooling down for 20 s (backend error 503), x 3 since 10:04",
    "10:10:09 bob cooling down for 5 s (backend error 503)",
    "10:11:09 alice cooling down for 40 s (backend error 503)",
    "10:12:09 alice cooling down for 1 min (backend error 500)",
    "10:13:09 alice enabled by you",
    "10:15:09 alice connection failed (connection reset), x 2 since 10:14",
  ];
  expect(withoutDay((await logs(120)).out)).toEqual(folded);
  expect(withoutDay((await logs(120, "--tail", "2")).out)).toEqual(folded.slice(-2));
  expect(withoutDay((await logs(120, "--all")).out)).toHaveLength(LOG.length);
  expect((await logs(undefined)).out).toBe(LOG.join(""));
  expect((await logs(undefined, "--account", "alice")).out.trimEnd().split("\n")).toHaveLength(8);
  expect((await logs(120, "--json")).out.replaceAll("\r", "")).toBe(LOG.join(""));
});

test("--follow prints a failure at once, and its repetitions every 30 s or when something else happens", () => {
  const isTTY = process.stdout.isTTY;
  process.stdout.isTTY = true;
  try {
    process.env.TZ = "UTC";
    const clock = fakeClock(Date.UTC(2026, 0, 2, 12));
    const deps = { clock, env: { NO_COLOR: "1", COLUMNS: "120" } };
    const output = logOutput({ deps }, {});
    const next = (...events: readonly string[]) =>
      [...output.lines(events.join("")), ...output.openLine(true)].flatMap(withoutDay);
    expect(next(cooldown(4, "alice", 5))).toEqual([
      "10:04:09 alice cooling down for 5 s (backend error 503)",
    ]);
    expect(next(cooldown(5, "alice", 10), cooldown(6, "alice", 20))).toEqual([]);
    clock.advance(29_000);
    expect(next()).toEqual([]);
    clock.advance(1_000);
    expect(next()).toEqual(["10:06:09 alice cooling down for 20 s (backend error 503), x 3 since 10:04"]);
    clock.advance(60_000);
    expect(next()).toEqual([]);
    expect(next(cooldown(7, "alice", 40))).toEqual([
      "10:07:09 alice cooling down for 40 s (backend error 503), x 4 since 10:04",
    ]);
    expect(next(cooldown(8, "alice", 60))).toEqual([]);
    expect(next(cooldown(9, "bob", 5))).toEqual([
      "10:08:09 alice cooling down for 1 min (backend error 503), x 5 since 10:04",
      "10:09:09 bob cooling down for 5 s (backend error 503)",
    ]);
  } finally {
    process.stdout.isTTY = isTTY;
  }
});
