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
