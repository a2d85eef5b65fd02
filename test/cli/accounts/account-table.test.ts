import { expect, test } from "bun:test";
import { ListedAccount } from "../../../src/auth/account-ops.ts";
import { listedTable, treeTable } from "../../../src/cli/accounts/account-table.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { ELEVEN, NOW } from "../../support/status-documents.ts";

process.env.TZ = "UTC";

const frame = (columns: number, colour = false) => ({ columns, style: styleOf({ colour, utf8: true }) });

const listed = (alias: string, more: object = {}) =>
  ListedAccount.parse({
    id: `openai:${alias}`,
    alias,
    enabled: true,
    user_email: `${alias}@example.com`,
    ...more,
  });

const cooling = (ms: number, reason: string) => ({
  cooldown_until_ms: NOW + ms,
  codexlb: { health: { kind: "cooling", reason }, plan_type: "plus" },
});

const ACCOUNTS = [
  listed("alice", { codexlb: { plan_type: "pro" } }),
  listed("bob", cooling(3 * 3_600_000, "usage-limit")),
  listed("carol", cooling(104_173_150_000, "usage-limit")),
  listed("dave", cooling(9000, "http-503")),
  listed("erin", { enabled: false, disabled_reason: "refresh-token-expired" }),
  listed("frank", { enabled: false, disabled_reason: "operator", user_email: "" }),
  listed("heidi", {
    codexlb: {
      main: {
        short: { usedPercent: 100, resetAtMs: NOW + 3_600_000 },
        weekly: { usedPercent: 100, resetAtMs: NOW - 1 },
        monthly: { usedPercent: 99.9, resetAtMs: NOW + 7_200_000 },
      },
    },
  }),
  listed("ivan", { codexlb: { main: { short: "of another version" } } }),
  listed("grace", { codexlb: { draining: true } }),
];

test.each([60, 80, 120])("the accounts on %d columns", (columns) => {
  const text = listedTable(ACCOUNTS, frame(columns), NOW);
  expect(text).toMatchSnapshot();
  expect(Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)))).toBeLessThanOrEqual(columns);
  expect(text.trimEnd().split("\n")).toHaveLength(ACCOUNTS.length + 1);
  expect(Bun.stripANSI(listedTable(ACCOUNTS, frame(columns, true), NOW))).toBe(text);
});

test.each([60, 120, 200])("the accounts of a tree on %d columns", (columns) => {
  const text = treeTable(ELEVEN.accounts, "laptop", frame(columns), NOW);
  expect(text).toMatchSnapshot();
  expect(Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)))).toBeLessThanOrEqual(columns);
});

test.each([49, 128])("an alias of %d characters leaves room for the state", (length) => {
  const long = listed("a".repeat(length), cooling(3 * 3_600_000, "usage-limit"));
  const [, row] = listedTable([long], frame(60), NOW).split("\n");
  expect(row).toMatch(/^a{11,23}… {2}.*back at \d\d:\d\d/);
});

test("an account at its floor", () => {
  const judy = (usedPercent: number, resetMs: number) =>
    listed("judy", {
      codexlb: {
        main: { short: { usedPercent, resetAtMs: NOW + resetMs } },
        options: { floor_daily: 20 },
      },
    });
  const states = [judy(80, 3_600_000), judy(79, 3_600_000), judy(80, 0)].map(
    (account) => listedTable([account], frame(120), NOW).split("\n")[1],
  );
  expect(states).toEqual([
    "judy     at its floor  5h 20 %  judy@example.com  openai:judy",
    "judy     ready   5h 20 %  judy@example.com  openai:judy",
    "judy     ready   5h 20 %  judy@example.com  openai:judy",
  ]);
});

test("a pinned account has a mark, and without one there is no column for it", () => {
  const accounts = [listed("alice"), listed("bob", { codexlb: { pinned: true } })];
  const [heading, alice, bob] = listedTable(accounts, frame(60), NOW).split("\n");
  expect(heading).toStartWith("ACCOUNT  PIN  STATUS");
  expect([alice, bob]).toEqual([
    expect.stringMatching(/^alice {9}ready/),
    expect.stringMatching(/^bob {6}P {4}ready/),
  ]);
  expect(listedTable([listed("alice")], frame(60), NOW)).not.toContain("PIN");
});
