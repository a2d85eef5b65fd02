// What the refusal for accounts that floors keep back advises.

import { expect, test } from "bun:test";
import { refusalFor } from "../../src/proxy/refusal.ts";
import type { Shortage } from "../../src/upstream/shortage.ts";

const ABOUT = {
  limitBody: undefined,
  usage: { planType: "plus", reachedType: undefined },
  brokenWhy: undefined,
  client: "codex",
} as const;

test.each<[Shortage["keptBack"], string]>([
  [[{ alias: "alice", floors: ["daily"] }], "--floor-daily none"],
  [[{ alias: "alice", floors: ["weekly"] }], "--floor-weekly none"],
  [
    [
      { alias: "alice", floors: ["weekly"] },
      { alias: "bob", floors: ["daily", "weekly"] },
    ],
    "--floor-daily none --floor-weekly none",
  ],
])("a refusal names the flags of the floors that were reached: %j", (keptBack, flags) => {
  const shortage: Shortage = {
    kind: "all_exhausted",
    untilMs: undefined,
    coolingUntilMs: undefined,
    disabled: 0,
    ofAccounts: true,
    disabledByOperator: [],
    keptBack,
    details: [],
  };
  const { error } = JSON.parse(refusalFor(shortage, ABOUT, 0).body);
  expect(error.message).toEndWith(
    `; the remaining quota of ${keptBack.map(({ alias }) => alias).join(", ")} is kept back by a floor`,
  );
  expect(error.next).toContain(`remove the floor with: codexlb account set ALIAS ${flags}, or pin`);
});
