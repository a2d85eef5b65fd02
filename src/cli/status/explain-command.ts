// `codexlb explain`: shows which account gets the next turn, and why the others do not. Changes nothing.

import { defineCommand } from "citty";
import { remoteExplanation } from "../../admin/client.ts";
import { advised } from "../../advice.ts";
import { hasTag, type TagDemand } from "../../core/account-tags.ts";
import type { Deps } from "../../deps.ts";
import { print, printJson } from "../../print.ts";
import { outputColumns } from "../../terminal-columns.ts";
import { tagDemand } from "../accounts/option-flags.ts";
import { untagged } from "../accounts/untagged.ts";
import { ADMIN_TOKEN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { doorOf, locate } from "../proxy/locate-proxy.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { explanationFrame } from "./explanation-frame.ts";
import { explanationText } from "./explanation-text.ts";
import { addAccountStep } from "./no-accounts.ts";

/** The longest wait for the answer, in ms. */
const TIMEOUT_MS = 5_000;

export default defineCommand({
  meta: {
    name: "codexlb explain",
    description: "Show which account gets the next turn, and why the others do not",
  },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...ADMIN_TOKEN_FLAG,
    session: {
      type: "string",
      description:
        "Explain the next turn of this session (the beginning of the id that Codex prints is enough; default: a new session)",
      valueHint: "ID",
    },
    model: {
      type: "string",
      description:
        "Explain a turn with this model, which may have a limit of its own (default: the main limit)",
      valueHint: "MODEL",
    },
    tag: {
      type: "string",
      description: "Explain a turn of a run with --tag",
      valueHint: "TAG,...",
    },
    only: { type: "boolean", description: "With --tag: explain a run with --only" },
    json: { type: "boolean", description: "Print JSON" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const tags = tagDemand("explain", args);
    const door = doorOf(context, await locate(context, args));
    const explained = await remoteExplanation(
      { ...door, timeoutMs: TIMEOUT_MS },
      {
        session: plainText("session", args.session),
        model: plainText("model", args.model),
        tags,
      },
    );
    if (tags !== undefined) warnOfUntagged(tags, explained.accounts, context.deps);
    if (args.json) return printJson(explained, 2);
    const { env, clock, log } = context.deps;
    if (explained.session !== undefined && explained.bound_to === undefined)
      log.info(`for the ids of sessions, run: ${advised("usage", "--by", "session")}`);
    const frame = terminalFrame(env);
    if (frame === undefined && explained.accounts.length === 0) log.info(addAccountStep());
    print(
      frame === undefined
        ? explanationText(explained, outputColumns(env), clock.now())
        : explanationFrame(explained, frame, clock.now()),
    );
  },
});

// --- internal ---

/** Warns if none of `accounts` has one of the tags. An older proxy does not report tags. */
function warnOfUntagged(
  { tags, only }: TagDemand,
  accounts: readonly { readonly tags?: readonly string[] | undefined }[],
  { log }: Pick<Deps, "log">,
): void {
  if (accounts.length === 0) return;
  if (accounts.some((account) => account.tags === undefined || hasTag({ tags: account.tags }, tags))) return;
  const { why, next } = untagged(tags);
  log.warn(`${why}, so ${only ? "none serves a run with --only" : "any account serves"}; ${next}`);
}

/** The value of `--flag`; undefined if it is empty. */
function plainText(flag: string, value: string | undefined): string | undefined {
  const text = value?.trim() || undefined;
  if (text !== undefined && /\p{Cc}/u.test(text))
    throw usage(`--${flag} must not contain control characters`);
  return text;
}
