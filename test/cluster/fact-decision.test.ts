import { expect, test } from "bun:test";
import { type Comparison, decide } from "../../src/cluster/fact-decision.ts";

/** `engine` and `agreed`: the generation and the value. */
const compare = (
  agreed: readonly [number, string],
  engine: readonly [number, string],
  rootMark: string,
  operator: Comparison["operator"] = "none",
  isLogin = false,
): string => {
  const both: Comparison = {
    agreed: { generation: agreed[0], mark: agreed[1] },
    engine: { generation: engine[0], mark: engine[1] },
    rootMark,
    operator,
    isLogin,
  };
  const decision = decide(both);
  return decision.kind === "send" ? `send ${decision.generation}` : decision.kind;
};

test.each<[string, string, Parameters<typeof compare>]>([
  ["nothing has changed", "nothing", [[3, "a"], [3, "a"], "a"]],
  ["neither has it", "nothing", [[0, ""], [0, ""], ""]],
  ["it was removed everywhere", "nothing", [[4, ""], [4, ""], ""]],
  ["an operator changed it to the same value", "agree", [[3, "a"], [3, "a"], "a", "begun"]],
  ["an operator imported the same login", "revive", [[3, "a"], [3, "a"], "a", "done", true]],
  ["an operator removed a login that is gone already", "agree", [[4, ""], [4, ""], "", "done", true]],
  ["an operator set it to the same value", "agree", [[3, "a"], [3, "a"], "a", "done"]],
  [
    "an operator set it to the same value, and the engine has changed it",
    "send 6",
    [[3, "a"], [5, "c"], "a", "done"],
  ],
  [
    "an operator began to change it, and the engine has changed it",
    "take",
    [[3, "a"], [5, "c"], "a", "begun"],
  ],
  [
    "an operator imported the same login, and the engine has a later one",
    "take",
    [[3, "a"], [5, "c"], "a", "done", true],
  ],
  [
    "an operator imported another login, and the engine has a later one",
    "send 6",
    [[3, "a"], [5, "c"], "b", "done", true],
  ],
  ["it is new in the root", "send 1", [[0, ""], [0, ""], "a"]],
  ["the root has changed it", "send 4", [[3, "a"], [3, "a"], "b"]],
  ["an operator removed it", "send 4", [[3, "a"], [3, "a"], "", "begun"]],
  ["the root lost it", "take", [[3, "a"], [3, "a"], ""]],
  ["the root has it again after a removal", "send 5", [[4, ""], [4, ""], "a"]],
  ["it is new in the engine", "take", [[0, ""], [2, "a"], ""]],
  ["the engine has changed it", "take", [[3, "a"], [5, "b"], "a"]],
  ["the engine has removed it", "take", [[3, "a"], [4, ""], "a"]],
  ["both have made the same change", "agree", [[3, "a"], [4, "b"], "b"]],
  ["both have removed it", "agree", [[3, "a"], [4, ""], "", "begun"]],
  ["both have changed it", "take", [[3, "a"], [5, "c"], "b"]],
  ["both have changed it, here an operator", "send 6", [[3, "a"], [5, "c"], "b", "begun"]],
  ["an operator removed it, and the engine has changed it", "send 6", [[3, "a"], [5, "c"], "", "begun"]],
  ["the engine is empty", "send 3", [[3, "a"], [0, ""], "a"]],
  ["the engine is empty, and it was removed", "send 4", [[4, ""], [0, ""], ""]],
  ["the engine has an older value", "send 3", [[3, "a"], [2, "z"], "a"]],
  ["the engine is empty, and the root has changed it", "send 4", [[3, "a"], [0, ""], "b"]],
  ["the engine is empty, and an operator removed it", "send 4", [[3, "a"], [0, ""], "", "begun"]],
  ["the engine is empty, and the root lost it", "nothing", [[3, "a"], [0, ""], ""]],
])("if %s: %s", (_when, decision, comparison) => {
  expect(compare(...comparison)).toBe(decision);
});
