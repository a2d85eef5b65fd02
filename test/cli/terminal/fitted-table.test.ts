import { expect, test } from "bun:test";
import { fittedTable, type TableColumn } from "../../../src/cli/terminal/fitted-table.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";

const COLUMNS: TableColumn[] = [
  { heading: "NAME", cells: ["alice", "会社"] },
  { heading: "STATUS", cells: [["limit reached, back at 05:41", "back at 05:41"], "ready"] },
  { heading: "EMPTY", cells: ["", ""] },
  { heading: "PLAN", cells: ["pro", "plus"], rank: 1 },
  { heading: "ID", cells: ["openai:alice", "openai:2"], rank: 2 },
];
const shown = (columns: number, given = COLUMNS) =>
  fittedTable(given, { columns, style: styleOf({ colour: false, utf8: false }) });

test("columns with the highest rank are left out first, and then texts get shorter", () => {
  expect(shown(80)).toBe(`\
NAME   STATUS                        PLAN  ID
alice  limit reached, back at 05:41  pro   openai:alice
会社   ready                         plus  openai:2
`);
  expect(shown(45)).toBe(`\
NAME   STATUS                        PLAN
alice  limit reached, back at 05:41  pro
会社   ready                         plus
`);
  expect(shown(30)).toBe(`\
NAME   STATUS         PLAN
alice  back at 05:41  pro
会社   ready          plus
`);
  expect(shown(12)).toBe(`\
NAME   ST...
alice  ba...
会社   ready
`);
});

test("what is visible on a terminal is visible on a wider one", () => {
  const command = ["login expired: codexlb account login erin-of-the-office", "login expired"];
  const tables: TableColumn[][] = [
    COLUMNS,
    [
      ...COLUMNS.slice(0, 1),
      { heading: "STATUS", cells: [COLUMNS[1]?.cells[0] ?? "", command] },
      { heading: "EMAIL", cells: ["alice@example.com", "erin@example.com"], rank: 1 },
      ...COLUMNS.slice(2),
      { heading: "BAR", cells: ["######", "##"], rank: 3 },
    ],
    [
      ...COLUMNS,
      { heading: "WHY", cells: ["the first of all accounts that can serve", "no"], wraps: true },
      { heading: "SCORE", cells: ["0.5", "0.25"], rank: 4 },
    ],
  ];
  for (const given of tables) {
    const seen = (columns: number) => {
      const [caption = "", ...lines] = shown(columns, given).split("\n");
      // A wrapped column has all its words at every width.
      const texts = given.filter(({ wraps }) => !wraps).flatMap(({ cells }) => cells.flat());
      return {
        headings: given.filter(({ heading }) => caption.includes(heading)).map(({ heading }) => heading),
        texts: texts.filter((text) => lines.some((line) => line.includes(text))),
      };
    };
    for (let columns = 30; columns < 160; columns++) {
      const [before, after] = [seen(columns), seen(columns + 1)];
      expect([columns, before.headings.filter((one) => !after.headings.includes(one))]).toEqual([
        columns,
        [],
      ]);
      expect([columns, before.texts.filter((one) => !after.texts.includes(one))]).toEqual([columns, []]);
    }
  }
});

test("a column that wraps loses no text", () => {
  const why = { heading: "WHY", cells: ["the first of all accounts that can serve", "no"], wraps: true };
  expect(shown(40, [COLUMNS[0]!, why])).toBe(`\
NAME   WHY
alice  the first of all accounts that
       can serve
会社   no
`);
});

test("text from another machine stays on one line", () => {
  const evil = [{ heading: "NAME", cells: ["a\u001b[2J\nb"] }];
  expect(shown(40, evil)).toBe("NAME\na [2J b\n");
});
