// A wider terminal shows everything that a narrower one shows, whatever the accounts are.

import { expect, test } from "bun:test";
import { layoutOf } from "../../../src/cli/status/row-layout.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { seededRandom } from "../../../src/core/forecast/random.ts";
import { type FrameRow, frameRows } from "../../../src/core/status-rows.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { account, ELEVEN, FORECAST, NOW, ONE, THREE } from "../../support/status-documents.ts";

process.env.TZ = "UTC";

const HOUR = 3_600;
const at = (hours: number) => NOW / 1000 + hours * HOUR;
const NAMES = [
  "a",
  "alice",
  "judy-with-a-long-name",
  "the-account-of-the-whole-department-in-berlin",
  "会社",
];
const CHANGES: readonly Record<string, unknown>[] = [
  {},
  { enabled: false, disabled_reason: "refresh-token-expired" },
  { enabled: false, disabled_reason: "http-403" },
  { enabled: false, disabled_reason: "operator" },
  { healthy: false, cooldown_seconds: 2.6 * HOUR, cooldown_reason: "usage-limit", weekly_left_pct: 0 },
  { healthy: false, cooldown_seconds: 30, cooldown_reason: "http-503" },
  { daily_left_pct: 0, daily_reset_at: at(200) },
  { at_floor: ["weekly"], kept_back: true },
  { at_floor: ["weekly"], kept_back: false },
  { draining: true },
  { plan_type: "enterprise_cbp_usage_based" },
  { credits: { has_credits: true, unlimited: false, balance: 4.5, usable: true } },
  { monthly_left_pct: 40, monthly_reset_at: at(400) },
  { proxy_name: "an-office-elsewhere" },
  { email: "an.address.that.is.long@subdomain.of.example.com" },
];

/** Pools of one to eight accounts in random states. */
function randomPools(count: number): StatusAnswer[] {
  const random = seededRandom(7);
  const oneOf = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  return Array.from({ length: count }, () =>
    StatusAnswer.parse({
      proxy_name: "laptop",
      accounts: Array.from({ length: 1 + Math.floor(random() * 8) }, (_, index) =>
        account(`${oneOf(NAMES)}${index}`, { ...oneOf(CHANGES), ...oneOf(CHANGES) }),
      ),
    }),
  );
}

const HEADINGS = /\b(?:ACCOUNT|PIN|STATUS|CREDITS|IN FLIGHT|SESSIONS|PLAN|EMAIL|5h|Weekly|Monthly|limit)\b/g;

/** What a terminal of this width shows, as numbers that must not fall when it becomes wider. */
function shownOn(status: StatusAnswer, columns: number) {
  const rows = frameRows(status, NOW);
  const layout = layoutOf(rows, {
    columns,
    wide: false,
    nowMs: NOW,
    style: styleOf({ colour: false, utf8: true }),
  });
  const all: FrameRow[] = [...rows.accounts, ...rows.limits, rows.pool];
  const lines = all.map((row) => layout.line(row));
  return {
    headings: [...(layout.caption.match(HEADINGS) ?? [])] as string[],
    rows: all.map(({ name, state, windows }, index) => {
      const line = lines[index] ?? "";
      return {
        isWhole: line.includes(name),
        wording:
          state === undefined ? 0 : state.wordings.length - state.wordings.indexOf(layout.wording(state)),
        bars: line.match(/[█░]/g)?.length ?? 0,
        percents: line.match(/%/g)?.length ?? 0,
        resets: windows.length === 0 ? 0 : (line.match(/[█░%] (?:\d+[mhd]|>60d|soon)\b/g)?.length ?? 0),
      };
    }),
    widest: Math.max(...lines.map((line) => Bun.stringWidth(line))),
  };
}

test("what is visible on a terminal is visible on a wider one", () => {
  for (const status of [ONE, THREE, ELEVEN, FORECAST, ...randomPools(60)]) {
    let before = shownOn(status, 20);
    for (let columns = 21; columns <= 260; columns++) {
      const now = shownOn(status, columns);
      const lost = [
        ...before.headings.filter((heading) => !now.headings.includes(heading)),
        ...before.rows.flatMap((row, index) => {
          const after = now.rows[index] ?? row;
          return Object.entries(row)
            .filter(([what, value]) => Number(after[what as keyof typeof after]) < Number(value))
            .map(([what]) => `${what} of row ${index}`);
        }),
      ];
      expect([columns, lost]).toEqual([columns, []]);
      if (columns >= 90) expect(now.widest).toBeLessThanOrEqual(columns);
      before = now;
    }
  }
});

test("a long status is shortened before other rows lose their bars", () => {
  for (const columns of [80, 100, 120]) {
    const { rows } = shownOn(THREE, columns);
    const [alice, bob, erin] = rows;
    expect([alice?.bars, bob?.bars, erin?.bars]).toEqual([12, 12, 0]);
    // The row of a dead login has no bars, so its status has their room.
    expect(erin?.wording).toBe(2);
  }
});
