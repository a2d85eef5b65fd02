// `codexlb explain`: shows which account gets the next turn, and why the others do not. Changes nothing.

import { defineCommand } from "citty";
import type { Explained } from "../../admin/answers.ts";
import { remoteExplanation } from "../../admin/client.ts";
import { print } from "../../print.ts";
import { ADMIN_TOKEN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { doorOf, locate } from "../proxy/locate-proxy.ts";
import { table } from "../terminal/table.ts";
import { outputColumns } from "../terminal/terminal.ts";
import { relative } from "./status-text.ts";

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
        "Explain the next turn of this session; Codex prints its session or thread id (default: a new session)",
      valueHint: "ID",
    },
    model: {
      type: "string",
      description:
        "Explain a turn with this model, which may have a limit of its own (default: the main limit)",
      valueHint: "MODEL",
    },
    json: { type: "boolean", description: "Print JSON" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const door = doorOf(context, await locate(context, args));
    const explained = await remoteExplanation(
      { ...door, timeoutMs: TIMEOUT_MS },
      {
        session: plainText("session", args.session),
        model: plainText("model", args.model),
      },
    );
    print(
      args.json
        ? `${JSON.stringify(explained, undefined, 2)}\n`
        : explanation(explained, outputColumns(context.deps.env), context.deps.clock.now()),
    );
  },
});

/** The explanation as text: the decision, then one line for each account (two on a narrow terminal). */
export function explanation(explained: Explained, columns: number | undefined, nowMs: number): string {
  if (explained.accounts.length === 0) return "no accounts\n";
  return `${headOf(explained, nowMs)}\n${accountsOf(explained, columns)}`;
}

// --- internal ---

/** What the table shows instead of words that are in the JSON for compatibility. */
const STATES: ReadonlyMap<string, string> = new Map([
  ["resting", "cooling"],
  ["out", "out of service"],
]);

/** The value of `--flag`; undefined if it is empty. */
function plainText(flag: string, value: string | undefined): string | undefined {
  const text = value?.trim() || undefined;
  if (text !== undefined && /\p{Cc}/u.test(text))
    throw usage(`--${flag} must not contain control characters`);
  return text;
}

function headOf(explained: Explained, nowMs: number): string {
  const { mode, session, model, bound_to, held, pinned, chosen, reason, back_at_ms: backMs } = explained;
  const turn = `next turn of ${session === undefined ? "a new session" : `session ${session}`}${model === undefined ? "" : ` for ${model}`}`;
  const back =
    backMs === undefined ? "" : `; the first account is available again ${relative(backMs / 1000, nowMs)}`;
  const choice = chosen === undefined ? `no account is available${back}` : `${chosen} (${reason})`;
  const bound =
    session === undefined
      ? ""
      : bound_to === undefined
        ? "; this proxy has served no turn of the session, so it is placed like a new one"
        : `; the session is on ${bound_to}${held ? ", and only its workspace can decrypt the history" : ""}`;
  return `${turn}: ${choice}\npolicy ${mode}${pinned === undefined ? "" : `; ${pinned} is pinned`}${bound}\n`;
}

function accountsOf({ accounts }: Explained, columns: number | undefined): string {
  const ownLimits = accounts.some(({ limit }) => limit !== undefined);
  const hasMonthly = accounts.some(({ terms }) => terms.some(({ window }) => window === "monthly"));
  const windows = ["daily", "weekly", ...(hasMonthly ? ["monthly"] : [])];
  const rows = accounts.map((account) => [
    account.alias,
    STATES.get(account.tier) ?? account.tier,
    String(account.in_flight),
    ...(ownLimits ? [account.limit ?? "main"] : []),
    account.score.toFixed(3),
    ...windows.map((window) => termOf(account, window)),
    account.urgency.toFixed(2),
  ]);
  const head = [
    "ALIAS",
    "STATE",
    "IN FLIGHT",
    ...(ownLimits ? ["LIMIT"] : []),
    "SCORE",
    ...windows.map((window) => window.toUpperCase()),
    "URGENCY",
  ];
  const wide = table([[...head, "WHY"], ...rows.map((row, index) => [...row, accounts[index]?.why ?? ""])]);
  const width = Math.max(...wide.split("\n").map((line) => Bun.stringWidth(line)));
  if (columns === undefined || width <= columns) return wide;
  const lines = table([head, ...rows])
    .trimEnd()
    .split("\n");
  return lines
    .map((line, index) => (index === 0 ? `${line}\n` : `${line}\n  ${accounts[index - 1]?.why ?? ""}\n`))
    .join("");
}

/** `0.60 x 0.42`; a question mark follows if the share is unknown. */
function termOf({ terms }: Explained["accounts"][number], window: string): string {
  const term = terms.find((one) => one.window === window);
  if (term === undefined) return "-";
  return `${term.weight.toFixed(2)} x ${term.share.toFixed(2)}${term.known ? "" : "?"}`;
}
