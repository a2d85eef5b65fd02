import { expect, test } from "bun:test";
import { autoStartLine } from "../../../src/cli/run/auto-start-line.ts";

test.each([
  [[], {}, "codexlb run --auto-start"],
  [["exec", "it's $HOME"], {}, `codexlb run --auto-start exec 'it'"'"'s $HOME'`],
  [
    ["exec", "--json", "hi"],
    { root: "/r", account: "bob", wait: "6h", only: false, "isolated-home": true, "auto-start": false },
    "codexlb run --auto-start --isolated-home --account=bob --wait=6h exec --json hi",
  ],
  [["-c", "a=1", "exec"], { account: "" }, "codexlb run --auto-start -- -c a=1 exec"],
  [["exec", "two\nlines"], {}, "codexlb run --auto-start ..."],
  [["exec", "long ".repeat(60)], { account: "bob" }, "codexlb run --auto-start ..."],
] as const)("the run %j with the flags %j is repeated by %s", (args, flags, line) => {
  expect(autoStartLine(args, flags)).toBe(line);
});
