import { expect, test } from "bun:test";
import { type Canvas, type StatusSnapshot, watchLines } from "../../../src/cli/status/watch-frame.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";

// The frame shows the time of the last reply in the local time zone.
process.env.TZ = "UTC";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const at = (seconds: number) => NOW / 1000 + seconds;

const account = (alias: string, more: Record<string, unknown> = {}) => ({
  proxy_name: "edge-a",
  alias,
  id: `openai:${alias}`,
  email: `${alias}@example.com`,
  active: false,
  pinned: false,
  healthy: true,
  enabled: true,
  cooldown_seconds: 0,
  daily_left_pct: 80,
  weekly_left_pct: 70,
  daily_reset_at: at(3 * 3600),
  weekly_reset_at: at(4 * 86_400),
  score: 0.5,
  ...more,
});

const STATUS = StatusAnswer.parse({
  proxy_name: "edge-a",
  policy: { mode: "usage_balanced" },
  selected_account_id: "openai:alice",
  selection_reason: "usage-stay",
  accounts: [
    account("alice", { active: true, pinned: true }),
    account("bob", { daily_left_pct: 12, healthy: false, cooldown_seconds: 1234 }),
    account("carol", { daily_left_pct: 0.2, weekly_left_pct: 99.7 }),
    account("dave", { proxy_name: "edge-b", daily_left_pct: 0, daily_reset_at: at(20), draining: true }),
    account("erin", {
      email: "",
      enabled: false,
      disabled_reason: "http-401",
      daily_left_pct: -1,
      weekly_left_pct: -1,
      daily_reset_at: 0,
      weekly_reset_at: 0,
    }),
  ],
  additional_limits: [
    {
      limit_id: "spark",
      limit_name: "Spark",
      primary_left_pct: 75,
      primary_reset_at: at(59 * 60),
      secondary_left_pct: 100,
      secondary_reset_at: at(6 * 86_400),
    },
  ],
  child_proxies: [
    {
      name: "edge-b",
      url: "http://192.0.2.2:8787",
      active: false,
      healthy: true,
      reachable: true,
      cooldown_seconds: 0,
      score: 0.4,
      selected_target: "openai:dave",
      selection_reason: "usage-best",
      child_proxies: [
        {
          name: "deep",
          url: "http://192.0.2.3:8787",
          active: false,
          healthy: false,
          reachable: false,
          cooldown_seconds: 0,
          score: 0,
          last_error: "connection refused",
          next: "start it",
        },
      ],
    },
  ],
});

const KNOWN: StatusSnapshot = {
  status: STATUS,
  url: "http://127.0.0.1:8787/",
  answeredMs: NOW - 1000,
  trouble: undefined,
};
const OLD: StatusSnapshot = {
  ...KNOWN,
  answeredMs: NOW - 75_000,
  trouble: "contacting the proxy at http://127.0.0.1:8787: connection refused",
};

const canvas = (columns: number, rows: number): Canvas => ({ columns, rows, nowMs: NOW, colour: false });
const picture = (known: StatusSnapshot, columns: number, rows: number) =>
  `${watchLines(known, canvas(columns, rows)).join("\n")}\n`;

for (const [columns, rows] of [
  [80, 24],
  [160, 40],
  [40, 30],
  [57, 11],
  [200, 7],
  [80, 3],
  [12, 9],
] as const) {
  test(`the frame for ${columns} columns and ${rows} rows`, () => {
    expect(picture(KNOWN, columns, rows)).toMatchSnapshot();
  });
  test(`an old status for ${columns} columns and ${rows} rows`, () => {
    expect(picture(OLD, columns, rows)).toMatchSnapshot();
  });
}

test("no accounts, and a proxy that reports little about itself", () => {
  const status = StatusAnswer.parse({ accounts: null });
  expect(picture({ ...KNOWN, status }, 80, 24)).toBe(
    "http://127.0.0.1:8787  answered 03:04:04\n\nno accounts\n",
  );
});

test("every line fits every terminal, with any names", () => {
  const names = [
    "a",
    "a-very-long-alias-that-no-user-would-want-to-type-twice",
    "会社のアカウント",
    "👩‍👩‍👧‍👦 family",
  ];
  const wide = {
    ...STATUS,
    accounts: STATUS.accounts.map((one, index) => ({ ...one, alias: names[index % names.length]! })),
  };
  for (const known of [KNOWN, OLD, { ...KNOWN, status: wide }, { ...OLD, status: wide }])
    for (let columns = 1; columns <= 200; columns += columns < 60 ? 1 : 7)
      for (const rows of [1, 2, 3, 4, 5, 8, 13, 24, 60]) {
        const plain = watchLines(known, canvas(columns, rows));
        const coloured = watchLines(known, { ...canvas(columns, rows), colour: true });
        expect(plain.length).toBeLessThanOrEqual(rows);
        expect(Math.max(...plain.map((line) => Bun.stringWidth(line)))).toBeLessThanOrEqual(columns);
        // Colours do not change the text.
        expect(coloured.map((line) => Bun.stripANSI(line))).toEqual(plain);
      }
});

test("the last line counts all entries that do not fit", () => {
  const entries = STATUS.accounts.length + 1 + 2;
  for (const columns of [40, 80, 160])
    for (let rows = 3; rows < 24; rows++) {
      const lines = watchLines(KNOWN, canvas(columns, rows));
      const names = [/^.. (?:alice|bob|carol|dave|erin)\b/, /^ {3}Spark limit/, /^ {3} *(?:edge-b|deep) /];
      const shown = lines.filter((line) => names.some((name) => name.test(line))).length;
      const hidden = Number(/^and (\d+) more$/.exec(lines.at(-1) ?? "")?.[1] ?? 0);
      expect([columns, rows, shown + hidden]).toEqual([columns, rows, entries]);
    }
});

test("the mean is left out only in favour of the first account", () => {
  const shows = (rows: number, what: string) => picture(KNOWN, 160, rows).includes(what);
  expect(
    [3, 4, 5].map((rows) => [shows(rows, "alice@"), shows(rows, " mean "), shows(rows, "DAILY")]),
  ).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
});

test("text from another machine cannot control the terminal", () => {
  const evil = { ...OLD, trouble: "answered 500: \u001b[2J\u0007x\ny" };
  const lines = watchLines(evil, canvas(160, 24));
  expect(lines.join("")).not.toMatch(/\p{Cc}/u);
  expect(lines).toContain("! 1m old: answered 500:  [2J x y");
});
