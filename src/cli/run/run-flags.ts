// The flags of `codexlb run`.

import type { ParsedArgs } from "citty";
import { advised } from "../../advice.ts";
import { durationOf } from "../../core/duration.ts";
import { RUN_WAIT, waitBoundOf } from "../../core/wait-bound.ts";
import { tagDemand } from "../accounts/option-flags.ts";
import { CODEX_BIN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { usage } from "../flags.ts";
import type { RunChoice } from "./tagged-run.ts";

/** All other arguments are for Codex. */
export const RUN_FLAGS = {
  ...ROOT_FLAG,
  ...PROXY_URL_FLAG,
  ...CODEX_BIN_FLAG,
  "codex-home": {
    type: "string",
    description: "CODEX_HOME for Codex (default: your own, linked)",
    valueHint: "DIR",
  },
  "isolated-home": {
    type: "boolean",
    description: "Use a CODEX_HOME with threads of its own, ROOT/runtime",
  },
  "native-home": {
    type: "boolean",
    description: "Use your own CODEX_HOME and its login, without writing to it",
  },
  account: {
    type: "string",
    description: "Pin this run to an account of the proxy",
    valueHint: "ALIAS",
  },
  tag: {
    type: "string",
    description: "Prefer accounts with one of these tags for this run",
    valueHint: "TAG,...",
  },
  only: {
    type: "boolean",
    description: "With --tag: refuse turns if no account with such a tag can serve",
  },
  wait: {
    type: "string",
    description:
      "If every account is exhausted, let turns wait up to this long for a reset (--wait alone: 8h)",
    valueHint: "DURATION",
    bareValue: RUN_WAIT,
    looksLikeValue: (word: string) => word === "off" || durationOf(word) !== undefined,
  },
  "auto-start": {
    type: "boolean",
    description:
      "Start a proxy for this run if none is running (default on a terminal; --auto-start=false: do not)",
  },
  command: { type: "boolean", description: "Print the Codex command instead of running it" },
} as const;

/** The values of the flags. */
type RunArgs = Pick<
  ParsedArgs<typeof RUN_FLAGS>,
  "account" | "tag" | "only" | "wait" | "command" | "native-home" | "codex-home" | "isolated-home"
>;

/** What the flags choose for the turns of the run. Throws `usage` if flags contradict each other. */
export function choiceIn(args: RunArgs): RunChoice {
  if (args.command && args.account?.trim())
    throw usage(
      "run: --command and --account cannot be combined",
      `leave one of them out, or pin all runs: ${advised("account pin", "ALIAS")}`,
    );
  const tags = tagDemand("run", args);
  const other = args.command ? "--command" : args.account?.trim() ? "--account" : undefined;
  if (tags !== undefined && other !== undefined)
    throw usage(`run: ${other} and --tag cannot be combined`, "leave one of them out");
  if (args.account?.trim() === "")
    throw usage("run: --account is empty", `leave it out, or name an account: ${advised("account list")}`);
  if (args.account?.trim().startsWith("--"))
    throw usage(
      `run: flag --account needs an alias before ${args.account.trim()}`,
      `name an account; to list the accounts, run: ${advised("account list")}`,
    );
  const waitSeconds = waitSecondsOf(args.wait);
  if (waitSeconds !== undefined && args.command)
    throw usage("run: --command and --wait cannot be combined", "leave one of them out");
  const homes = ["native-home", "codex-home", "isolated-home"] as const;
  const [home, otherHome] = homes.filter(
    (name) => args[name] === true || `${args[name] ?? ""}`.trim() !== "",
  );
  if (home !== undefined && otherHome !== undefined)
    throw usage(`run: --${home} and --${otherHome} cannot be combined`, "leave one of them out");
  return { account: args.account?.trim() || undefined, tags, waitSeconds };
}

// --- internal ---

/** The value of `--wait` in whole seconds; undefined if the run does not wait. Throws `usage`. */
function waitSecondsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = waitBoundOf(value.trim());
  if (ms === undefined)
    throw usage(
      `flag --wait: ${JSON.stringify(value)} must be off, or a duration greater than 0 and at most 7d`,
      "write it after an equals sign: --wait=6h",
    );
  return ms === 0 ? undefined : Math.ceil(ms / 1000);
}
