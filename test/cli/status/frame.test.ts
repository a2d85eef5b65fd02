import { describe, expect, test } from "bun:test";
import { type Canvas, frameLines } from "../../../src/cli/status/frame.ts";
import type { StatusSnapshot } from "../../../src/cli/status/frame-head.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { account, ELEVEN, FORECAST, NOW, ONE, THREE } from "../../support/status-documents.ts";

// The frame shows times in the local time zone.
process.env.TZ = "UTC";

const known = (status: StatusAnswer): StatusSnapshot => ({
  status,
  url: "http://127.0.0.1:8765/",
  answeredMs: NOW - 1000,
  trouble: undefined,
});
const KNOWN = known(ELEVEN);
const OLD: StatusSnapshot = {
  ...KNOWN,
  answeredMs: NOW - 75_000,
  trouble: "asking the proxy at http://127.0.0.1:8765: connection refused",
};

const page = (columns: number, more: Partial<Canvas> = {}): Canvas => ({
  columns,
  height: { kind: "page" },
  nowMs: NOW,
  colour: false,
  utf8: true,
  wide: false,
  ...more,
});
const screen = (columns: number, rows: number, more: Partial<Canvas> = {}): Canvas =>
  page(columns, { height: { kind: "screen", rows }, ...more });
const picture = (snapshot: StatusSnapshot, canvas: Canvas) => `${frameLines(snapshot, canvas).join("\n")}\n`;
const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => Bun.stringWidth(line)));

const DOCUMENTS = { "1 account": ONE, "3 accounts": THREE, "11 accounts": ELEVEN } as const;

for (const [name, status] of Object.entries(DOCUMENTS))
  for (const columns of [60, 80, 120, 200]) {
    test(`${name} on ${columns} columns`, () => {
      expect(picture(known(status), page(columns))).toMatchSnapshot();
      expect(picture(known(status), page(columns, { utf8: false }))).toMatchSnapshot("ASCII");
      expect(picture(known(status), page(columns, { wide: true }))).toMatchSnapshot("--wide");
    });

    test(`${name} on ${columns} columns have one row each, and the pool has the last one`, () => {
      const lines = frameLines(known(status), page(columns));
      expect(widest(lines)).toBeLessThanOrEqual(columns);
      const [head = 0, pool = 0] = [/ACCOUNT +PIN +STATUS/, /^ {2}pool /].map((row) =>
        lines.findIndex((line) => row.test(line)),
      );
      expect(pool - head - 1).toBe(status.accounts.length + (status.additional_limits ?? []).length);
      expect(lines[pool + 1] ?? "").toBe("");
    });
  }

describe("long aliases", () => {
  const long = (letter: string) => `${letter.repeat(40)}.${letter.repeat(40)}@example.com`;
  const out = {
    healthy: false,
    cooldown_seconds: 7200,
    cooldown_reason: "usage-limit",
    daily_left_pct: 0,
  };
  const status = StatusAnswer.parse({
    ...ONE,
    selected_account_id: `openai:${long("a")}`,
    accounts: [account(long("a"), out), account(long("b"), { ...out, cooldown_seconds: 9000 })],
    waiting: { turns: 2, until_ms: NOW + 7_200_000, account: long("a"), window: "daily" },
    switches: [
      { at_ms: NOW - 130_000, from: long("a"), to: long("b"), reason: "usage-limit", window: "daily" },
    ],
  });

  test.each([40, 60, 80, 120])("leave the times in the head visible on %i columns", (columns) => {
    for (const canvas of [page(columns), page(columns, { utf8: false }), screen(columns, 40)]) {
      const lines = frameLines(known(status), canvas);
      const head = lines.slice(0, lines.indexOf(""));
      expect(widest(head)).toBeLessThanOrEqual(columns);
      const text = head.join(" ").replace(/\s+/g, " ");
      expect(text).toContain("first back at 05:04");
      expect(text).toContain("5h reset at 05:04");
    }
  });

  test.each([60, 80])("leave the time of a switch visible on a screen of %i columns", (columns) => {
    expect(picture(known(status), screen(columns, 40))).toContain(", 2 min ago\n");
  });

  test("are whole where there is room", () => {
    expect(picture(known(status), page(300))).toContain(`first back at 05:04 (${long("a")})`);
  });
});

test("colours on 80 columns", () => {
  for (const [name, status] of Object.entries(DOCUMENTS))
    expect(picture(known(status), page(80, { colour: true }))).toMatchSnapshot(name);
});

test.each([60, 80, 120])("a forecast on %i columns", (columns) => {
  expect(picture(known(FORECAST), page(columns))).toMatchSnapshot();
  expect(picture(known(FORECAST), page(columns, { wide: true }))).toMatchSnapshot("--wide");
  expect(widest(frameLines(known(FORECAST), page(columns)))).toBeLessThanOrEqual(columns);
});

test("a forecast that says nothing useful is not shown", () => {
  const unknown = { window: "weekly", outcome: "unknown", why: "little-history" };
  const lasts = { window: "weekly", outcome: "lasts" };
  const past = { window: "weekly", outcome: "reached", likely_at: NOW / 1000 - 1 };
  for (const forecast of [unknown, lasts, past]) {
    const accounts = ONE.accounts.map((account) => ({ ...account, forecast: [forecast] }));
    const status = StatusAnswer.parse({ ...ONE, accounts, forecast: { ...forecast, accounts: 2 } });
    expect(frameLines(known(status), page(80)).join()).not.toContain("at this pace");
  }
});

test("a proxy that cannot record turns says so below the table", () => {
  const lines = frameLines(known({ ...THREE, usage_problem: "disk full" }), page(80));
  expect(lines).toContain("  turns are not recorded: disk full");
});

test("a replica without the server of its pool says so in the head and below the table", () => {
  const cluster = {
    pool: "team",
    replica: "r1",
    pending: 0,
    degraded_since_ms: NOW - 60_000,
    error: "contacting redis://engine: connection refused",
  };
  const lines = frameLines(known({ ...THREE, cluster }), page(200));
  expect(lines[0]).toContain("  pool team: degraded since ");
  expect(lines).toContain("  the pool team cannot be used: contacting redis://engine: connection refused");
});

test("a replica that another process has replaced says that below the table, and not that it cannot use the pool", () => {
  const error = "another process is connected to the pool team as the same replica";
  const cluster = { pool: "team", replica: "r1", pending: 0, degraded_since_ms: NOW - 60_000, error };
  const lines = frameLines(
    known({ ...THREE, cluster: { ...cluster, error_code: "same_replica_twice" } }),
    page(200),
  );
  expect(lines).toContain(`  ${error}`);
});

test("a replica shows all replicas of its pool, with their state and version", () => {
  const about = (name: string, last_seen_ms: number) => ({ id: name, name, version: "1.2.0", last_seen_ms });
  const replicas = [about("edge", NOW - 300_000), about("laboratory", NOW)];
  const lines = frameLines(
    known({ ...THREE, cluster: { pool: "team", replica: "laboratory", pending: 0, replicas } }),
    page(80),
  );
  expect(lines.slice(lines.indexOf("replicas:"))).toEqual([
    "replicas:",
    "  laboratory  connected, this replica  1.2.0",
    "  edge        last seen 5 min ago      1.2.0",
  ]);
});

test("the head counts the anchor turns of the day", () => {
  const lines = frameLines(known({ ...THREE, anchor: { turns: 3, tokens: 1240 } }), page(200));
  expect(lines[0]).toEndWith("  anchored today: 3 turns, 1,240 tokens");
});

test("colours are those of the meaning, and change no text", () => {
  for (const status of Object.values(DOCUMENTS)) {
    const coloured = frameLines(known(status), page(120, { colour: true }));
    expect(coloured.map((line) => Bun.stripANSI(line))).toEqual(frameLines(known(status), page(120)));
  }
  const [bob = "", erin = "", frank = ""] = ["bob", "erin", "frank"].map((name) =>
    frameLines(known(ELEVEN), page(200, { colour: true })).find((line) => line.includes(` ${name} `)),
  );
  expect(bob).toContain("\u001b[31mlimit reached, back at 05:40 (in 3 h)\u001b[39m");
  expect(bob).toContain("\u001b[32m 80%\u001b[39m");
  expect(bob).toContain("\u001b[31m  0%\u001b[39m");
  expect(erin).toContain("\u001b[31mlogin expired: codexlb account login erin\u001b[39m");
  expect(frank).toContain("\u001b[2mdisabled by you\u001b[22m");
  expect(frank).not.toContain("\u001b[32m");
});

test("the columns begin at the same place whether an account is pinned or not", () => {
  const heading = (status: StatusAnswer) =>
    frameLines(known(status), page(80)).find((line) => line.includes("ACCOUNT"));
  const pinned = { ...THREE, accounts: THREE.accounts.map((one) => ({ ...one, pinned: true })) };
  expect(heading(pinned)).toBe(heading(THREE));
});

test("a pinned account that is draining gets all turns, and its row says so", () => {
  const accounts = ELEVEN.accounts.map((account) => ({ ...account, pinned: account.alias === "carol" }));
  const lines = frameLines(known({ ...ELEVEN, accounts }), page(200));
  expect(lines.find((line) => line.includes("carol"))).toContain("draining, but pinned (gets all turns)");
  expect(lines.join("\n")).not.toContain("no new sessions");
});

test("the pool has what it may use: nothing that floors keep back for good", () => {
  const accounts = ONE.accounts.map((one) => ({ ...one, floor_daily_pct: 20, floor_weekly_pct: 50 }));
  const pooled = (spend_floors: string) =>
    frameLines(known({ ...ONE, accounts, policy: { ...ONE.policy, spend_floors } }), page(80))
      .find((line) => line.startsWith("  pool"))
      ?.match(/\d+%/g);
  expect([pooled("last"), pooled("never")]).toEqual([
    ["80%", "70%"],
    ["60%", "20%"],
  ]);
});

test("no state is in seconds or in hundreds of days", () => {
  for (const columns of [60, 80, 120, 200])
    expect(picture(KNOWN, page(columns))).not.toMatch(/cooldown\(|\d{3,}\s?(?:s|days)\b/);
});

test("the columns of a dead login are blank, and its command is shown at every width", () => {
  for (const columns of [60, 80, 120, 200]) {
    const lines = frameLines(known(THREE), page(columns));
    expect(lines.find((line) => line.startsWith("  erin"))).not.toMatch(/%|░/);
    expect(lines.join("\n")).toContain("codexlb account login erin");
  }
});

test("an account that codexlb disabled for another reason has blank columns, too", () => {
  const accounts = THREE.accounts.map((one) => ({ ...one, disabled_reason: "http-403" }));
  const row = frameLines(known({ ...THREE, accounts }), page(120)).find((line) => line.startsWith("  erin"));
  expect(row).toContain("disabled: access refused");
  expect(row).not.toMatch(/%|░/);
});

test("a dead login of a child proxy is renewed there", () => {
  const accounts = THREE.accounts.map((one) => ({ ...one, proxy_name: "edge-b" }));
  expect(picture(known({ ...THREE, accounts }), page(200))).toContain(
    "codexlb account login --proxy-name edge-b erin",
  );
});

test("a proxy that reports neither sessions nor switches has no such columns and lines", () => {
  const accounts = THREE.accounts.map(({ sessions: _, ...one }) => one);
  const text = picture(known({ ...THREE, accounts, switches: undefined }), page(200));
  expect(text).toContain("IN FLIGHT");
  expect(text).not.toMatch(/SESSIONS|switches/);
});

test("no accounts, and a proxy that reports little about itself", () => {
  const status = StatusAnswer.parse({ accounts: null });
  expect(picture(known(status), page(80))).toBe(
    "http://127.0.0.1:8765\n\nno accounts\n  add one with: codexlb account login ALIAS\n",
  );
  expect(picture(known(status), screen(80, 24))).toBe(
    "http://127.0.0.1:8765\nupdated 03:04:04\n\nno accounts\n  add one with: codexlb account login ALIAS\n",
  );
});

describe("a screen", () => {
  for (const [columns, rows] of [
    [80, 24],
    [160, 40],
    [40, 30],
    [57, 11],
    [200, 7],
    [80, 3],
    [12, 9],
  ] as const) {
    test(`of ${columns} columns and ${rows} rows`, () => {
      expect(picture(KNOWN, screen(columns, rows))).toMatchSnapshot();
      expect(picture(OLD, screen(columns, rows))).toMatchSnapshot("an old status");
    });
  }

  test("is never exceeded, with any names", () => {
    const names = [
      "a",
      "a-very-long-alias-that-no-user-would-want-to-type-twice",
      "会社のアカウント",
      "👩‍👩‍👧‍👦 family",
    ];
    const renamed = {
      ...ELEVEN,
      accounts: ELEVEN.accounts.map((one, index) => ({ ...one, alias: names[index % names.length]! })),
    };
    for (const snapshot of [KNOWN, OLD, known(renamed), { ...OLD, status: renamed }])
      for (let columns = 1; columns <= 200; columns += columns < 60 ? 1 : 7)
        for (const rows of [1, 2, 3, 4, 5, 8, 13, 24, 60])
          for (const wide of [false, true]) {
            const plain = frameLines(snapshot, screen(columns, rows, { wide }));
            const coloured = frameLines(snapshot, screen(columns, rows, { wide, colour: true }));
            expect(plain.length).toBeLessThanOrEqual(rows);
            expect(widest(plain)).toBeLessThanOrEqual(columns);
            expect(coloured.map((line) => Bun.stripANSI(line))).toEqual(plain);
          }
  });

  test("counts in its last line all entries that do not fit", () => {
    const isEntry = (line: string) => /^(?:\*| ) {1,5}\S/.test(line) && !/ACCOUNT|^ {2}pool /.test(line);
    for (const columns of [60, 80, 160]) {
      const entries = frameLines(KNOWN, screen(columns, 100)).filter(isEntry).length;
      for (let rows = 4; rows < 40; rows++) {
        const lines = frameLines(KNOWN, screen(columns, rows));
        const hidden = Number(/^and (\d+) more$/.exec(lines.at(-1) ?? "")?.[1] ?? 0);
        expect([columns, rows, lines.filter(isEntry).length + hidden]).toEqual([columns, rows, entries]);
      }
    }
  });

  test("leaves out the pool only in favour of the first account", () => {
    const shows = (rows: number, what: string) => picture(KNOWN, screen(160, rows)).includes(what);
    expect(
      [3, 4, 5].map((rows) => [shows(rows, " alice "), shows(rows, " pool "), shows(rows, "PIN")]),
    ).toEqual([
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ]);
  });

  test("shows text from another machine without letting it control the terminal", () => {
    const evil = { ...OLD, trouble: "answered 500: \u001b[2J\u0007x\ny" };
    const lines = frameLines(evil, screen(160, 24));
    expect(lines.join("")).not.toMatch(/\p{Cc}/u);
    expect(lines).toContain("! 1m old: answered 500:  [2J x y");
  });
});

test("the head counts the turns that wait for a reset", () => {
  const waiting = { turns: 2, until_ms: NOW + 3_600_000, account: "alice", window: "daily" };
  const lines = frameLines(known({ ...THREE, waiting }), page(120));
  expect(lines.slice(0, 2).join("\n")).toContain("2 turns waiting for alice's 5h reset at ");
});
