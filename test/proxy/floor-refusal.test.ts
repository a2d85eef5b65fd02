// What the refusal for accounts that floors keep back advises.

import { expect, test } from "bun:test";
import { advised } from "../../src/advice.ts";
import type { FloorName } from "../../src/core/account-options.ts";
import { refusalFor } from "../../src/proxy/shortage-refusal.ts";
import type { Shortage } from "../../src/upstream/shortage.ts";

const ABOUT = {
  limitBody: undefined,
  usage: { planType: "plus", reachedType: undefined },
  brokenWhy: undefined,
  isStopping: false,
  client: "codex",
  advise: advised,
} as const;

const keptBy = (alias: string, floors: readonly FloorName[], floorsInFile: readonly FloorName[] = []) => ({
  alias,
  floors,
  floorsInFile,
});
const command = (flags: string) => `remove the floor with: codexlb account set ALIAS ${flags}`;

test.each<[Shortage["keptBack"], string]>([
  [[keptBy("alice", ["daily"])], command("--floor-daily none")],
  [[keptBy("alice", ["weekly"])], command("--floor-weekly none")],
  [
    [keptBy("alice", ["weekly"]), keptBy("bob", ["daily", "weekly"])],
    command("--floor-daily none --floor-weekly none"),
  ],
  // A command cannot remove a floor that config.toml sets.
  [[keptBy("Alice", ["weekly"], ["weekly"])], "remove accounts.alice.floor_weekly from config.toml"],
  [
    [keptBy("alice", ["daily", "weekly"], ["weekly"]), keptBy("bob", ["weekly"], ["weekly"])],
    `${command("--floor-daily none")}, remove accounts.alice.floor_weekly and accounts.bob.floor_weekly from config.toml`,
  ],
])("a refusal names what removes the floors that were reached: %j", (keptBack, remedy) => {
  const shortage: Shortage = {
    kind: "all_exhausted",
    untilMs: undefined,
    coolingUntilMs: undefined,
    disabled: 0,
    ofAccounts: true,
    disabledByOperator: [],
    keptBack,
    atCap: [],
    details: [],
  };
  const { error } = JSON.parse(refusalFor(shortage, ABOUT, 0).body);
  expect(error.message).toEndWith(
    `; the remaining quota of ${keptBack.map(({ alias }) => alias).join(", ")} is kept back by a floor`,
  );
  expect(error.next).toStartWith(`wait for the reset, ${remedy}, or pin a run`);
});
