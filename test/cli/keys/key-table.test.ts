import { expect, test } from "bun:test";
import { keyTable } from "../../../src/cli/keys/key-table.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const DAY_MS = 86_400_000;

test("the keys of a root on a terminal", () => {
  const keys = [
    { name: "laptop2", role: "client", createdMs: NOW - 40 * DAY_MS, lastUsedMs: NOW - 120_000 },
    { name: "front", role: "parent", createdMs: NOW - 3_600_000, lastUsedMs: undefined },
  ] as const;
  const frame = (columns: number) => ({ columns, style: styleOf({ colour: false, utf8: true }) });
  expect(keyTable(keys, frame(80), NOW)).toBe(`\
NAME     ROLE    LAST USED  CREATED
laptop2  client  2 min ago  40 days ago
front    parent  never      1 h ago
`);
  expect(keyTable(keys, frame(30), NOW)).toBe(`\
NAME     ROLE    LAST USED
laptop2  client  2 min ago
front    parent  never
`);
});

test("limits of keys continue on the next line if there is no room", () => {
  const limits = {
    turnsPerMinute: 60,
    tokensPerDay: 5_000_000,
    models: ["gpt-6*"],
    expiresMs: NOW + 30 * DAY_MS,
  };
  const keys = [
    { name: "laptop2", role: "client", createdMs: NOW - 180_000, lastUsedMs: NOW - 120_000, limits },
    { name: "front", role: "parent", createdMs: NOW, lastUsedMs: undefined, limits: { expiresMs: NOW } },
  ] as const;
  expect(keyTable(keys, { columns: 60, style: styleOf({ colour: false, utf8: true }) }, NOW)).toBe(`\
NAME     ROLE    LIMITS                            LAST USED
laptop2  client  60/min, 5M tokens/day, gpt-6*,    2 min ago
                 expires in 30 days
front    parent  expired                           never
`);
});
