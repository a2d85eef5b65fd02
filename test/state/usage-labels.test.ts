// Tests the texts that turns share in usage.db.

import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { createLabelSets } from "../../src/state/usage/label-sets.ts";
import { createLabelTable } from "../../src/state/usage/label-table.ts";
import { migrate } from "../../src/state/usage/schema.ts";
import { turnRecord } from "../support/turn-record.ts";

type More = Parameters<typeof turnRecord>[0];

function open(most?: number) {
  const database = new Database(":memory:");
  migrate(database);
  const sets = createLabelSets();
  const table = createLabelTable(database, { forget: sets.clear, ...(most === undefined ? {} : { most }) });
  return {
    database,
    sets,
    idOf: (more: More, identity = "identity") => table.idOf(sets.of(turnRecord(more), identity)),
    projects: () =>
      database
        .query<{ project: string }, []>("SELECT project FROM labels ORDER BY id")
        .all()
        .map(({ project }) => project),
    [Symbol.dispose]: () => {
      table.finalize();
      database.close();
    },
  };
}

test("turns have the same labels exactly if all their shared texts are equal", () => {
  using labels = open();
  const first = labels.idOf({});
  expect(labels.idOf({ startedMs: 1, session: "other", durationMs: 7, tokens: undefined, run: "r" })).toBe(
    first,
  );
  const different: readonly More[] = [
    { kind: "compaction" },
    { transport: "websocket" },
    { outcome: "failed" },
    { code: "http-500" },
    { accountAlias: "bob" },
    { proxy: "q" },
    { choice: "pinned" },
    { requestedModel: "other" },
    { servedModel: "other" },
    { client: "ci" },
    { project: "/other" },
  ];
  const ids = [first, ...different.map((more) => labels.idOf(more)), labels.idOf({}, "another identity")];
  expect(new Set(ids).size).toBe(ids.length);
  // The newest sets are found by comparison, older ones by their key, and those of an earlier process in the file.
  expect(different.map((more) => labels.idOf(more))).toEqual(ids.slice(1, -1));
  labels.sets.clear();
  expect([labels.idOf({}), ...different.map((more) => labels.idOf(more))]).toEqual(ids.slice(0, -1));
});

test("when the table is full, unused combinations make room, and then new ones lose their free texts", () => {
  using labels = open(3);
  const [kept, unused] = [labels.idOf({ project: "/kept" }), labels.idOf({ project: "/unused" })];
  const use = (id: number, labelsOf: number) =>
    labels.database.run("INSERT INTO turn_rows (id, labels, duration_ms, attempts) VALUES (?, ?, 1, 1)", [
      id,
      labelsOf,
    ]);
  use(1, kept);
  use(2, labels.idOf({ project: "/kept too" }));
  const renewed = labels.idOf({ project: "/new" });
  expect(labels.projects()).toEqual(["/kept", "/kept too", "/new"]);
  use(3, renewed);
  expect(labels.idOf({ project: "/beyond" })).toBe(labels.idOf({ project: "/further beyond" }));
  expect(labels.projects()).toEqual(["/kept", "/kept too", "/new", "(others)"]);
  expect(labels.idOf({ project: "/kept" })).toBe(kept);
  expect(labels.idOf({ project: "/unused" })).not.toBe(unused);
});
