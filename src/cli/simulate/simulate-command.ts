// `codexlb simulate`: replays the recorded turns with other policies and accounts. Changes nothing.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { POLICY_MODES, type PolicyMode } from "../../core/policy.ts";
import { type AccountChange, accountChanges } from "../../core/replay/account-changes.ts";
import { simulationTsv } from "../../core/replay/simulation-text.ts";
import { print, printJson, showMeanwhile } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf, requireRoot } from "../context.ts";
import { usage } from "../flags.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { periodOf } from "../usage/usage-period.ts";
import { simulateHistory } from "./simulate-history.ts";
import { simulationFrame } from "./simulation-frame.ts";

export default defineCommand({
  meta: {
    name: "codexlb simulate",
    description: "Simulate your past turns with other policies or other accounts",
  },
  args: {
    ...ROOT_FLAG,
    since: {
      type: "string",
      description: "Replay the turns since then: 14d (today and the 13 days before), 12h, or 2026-11-28",
      default: "14d",
      valueHint: "TIME",
    },
    policy: {
      type: "string",
      description:
        "Compare these policies, separated by commas (default: all of them; with --accounts only the configured one)",
      valueHint: "POLICY,...",
    },
    accounts: {
      type: "string",
      description:
        "Remove accounts (-ALIAS), and add a plan (+plus) or a copy of an account (+=ALIAS), separated by commas (default without --policy: remove each account in turn)",
      valueHint: "CHANGES",
    },
    json: { type: "boolean", description: "Print JSON" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const { deps } = context;
    const nowMs = deps.clock.now();
    const request = {
      sinceMs: periodOf(args.since, undefined, nowMs).sinceMs,
      nowMs,
      policies: policiesOf(args.policy),
      changes: changesOf(args.accounts),
    };
    const report = await meanwhile(args.json, () => simulateHistory(context, request));
    if (args.json) return printJson(report, 2);
    const frame = terminalFrame(deps.env);
    print(frame === undefined ? simulationTsv(report) : simulationFrame(report, frame));
  },
});

// --- internal ---

/** Shows on a terminal that `work` takes some seconds, unless its result is for a program. */
async function meanwhile<T>(isForProgram: boolean | undefined, work: () => Promise<T>): Promise<T> {
  if (isForProgram || process.stderr.isTTY !== true) return await work();
  const done = showMeanwhile("simulating past turns ...");
  try {
    return await work();
  } finally {
    done();
  }
}

function policiesOf(text: string | undefined): PolicyMode[] | undefined {
  const names = (text ?? "").split(",").map((name) => name.trim());
  const given = names.filter((name) => name !== "");
  if (given.length === 0) return undefined;
  return given.map((name) => {
    const known = POLICY_MODES.find((mode) => mode === name);
    if (known !== undefined) return known;
    throw usage(
      `flag --policy: ${JSON.stringify(name)} is not a policy`,
      `use one or more of: ${POLICY_MODES.join(", ")}`,
    );
  });
}

function changesOf(text: string | undefined): readonly AccountChange[] | undefined {
  const changes = accountChanges(text ?? "");
  if ("wrong" in changes)
    throw usage(
      `flag --accounts: ${JSON.stringify(changes.wrong)} is not a change of accounts`,
      `write -ALIAS, +PLAN or +=ALIAS, for example: ${advised("simulate", "--accounts=-bob,+plus")}`,
    );
  return changes.length === 0 ? undefined : changes;
}
