// The arguments that continue the thread of an earlier run.

import { expect, test } from "bun:test";
import { resumedArgs } from "../../../src/cli/run/resumed-args.ts";

const THREAD = "01a22417-dd15-7992-ab1b-eb9187c68046";
const END = ["resume", THREAD, "Continue where you stopped."];

test.each<[string[], string[]]>([
  [["exec", "do it"], ["exec"]],
  [
    ["e", "--json", "do", "it"],
    ["e", "--json"],
  ],
  [
    ["-m", "gpt-6", "exec", "-s", "read-only", "--skip-git-repo-check", "do it"],
    ["-m", "gpt-6", "exec", "-s", "read-only", "--skip-git-repo-check"],
  ],
  [
    ["exec", "--config=a=b", "-o", "out.txt", "do it"],
    ["exec", "--config=a=b", "-o", "out.txt"],
  ],
  [["exec", "-i", "a.png", "do it"], ["exec"]],
  [
    ["exec", "--json", "-"],
    ["exec", "--json"],
  ],
  [
    ["exec", "--json", "--", "--strange prompt"],
    ["exec", "--json"],
  ],
  [["exec", "resume", "--last", "go"], ["exec"]],
])("%j", (args, kept) => {
  expect(resumedArgs(args, THREAD)).toEqual([...kept, ...END]);
});

test.each([
  [["review"]],
  [["exec", "review"]],
  [["exec", "--ephemeral", "do it"]],
  [["exec", "--worktree", "do it"]],
  [["exec", "--new-flag", "do it"]],
  [["do it"]],
  [[]],
])("a run that cannot be continued: %j", (args) => {
  expect(resumedArgs(args, THREAD)).toBeUndefined();
});
