// An explanation as plain text, as printed in a pipe. Scripts read the JSON, which has the codes.

import type { Explained } from "../../admin/answers.ts";
import {
  bindingText,
  exhaustedChoice,
  termText,
  tierWords,
  unplacedWords,
  whyWords,
} from "../../core/explanation-words.ts";
import { choiceWords } from "../../core/reason-words.ts";
import { relative } from "../../core/status-words.ts";
import { table } from "../terminal/table.ts";

/** The explanation as text: the decision, then one line for each account (two if `columns` are too few). */
export function explanationText(explained: Explained, columns: number | undefined, nowMs: number): string {
  if (explained.accounts.length === 0) return "no accounts\n";
  return `${headOf(explained, nowMs)}\n${accountsOf(explained, columns)}`;
}

// --- internal ---

function headOf(explained: Explained, nowMs: number): string {
  const { mode, session, model, bound_to, held, pinned, chosen, reason, back_at_ms: backMs } = explained;
  const turn = `next turn of ${session === undefined ? "a new session" : `session ${session}`}${model === undefined ? "" : ` for ${model}`}`;
  const back =
    backMs === undefined ? "" : `; the first account is available again ${relative(backMs / 1000, nowMs)}`;
  const choice =
    chosen === undefined
      ? `${unplacedWords(explained)}${back}`
      : (exhaustedChoice(explained)?.words ??
        `${chosen}${reason === undefined ? "" : ` (${choiceWords(reason)})`}`);
  const bound = session === undefined ? "" : `; ${bindingText(bound_to, held)}`;
  return `${turn}: ${choice}\npolicy ${mode}${pinned === undefined ? "" : `; ${pinned} is pinned`}${bound}\n`;
}

function accountsOf({ accounts }: Explained, columns: number | undefined): string {
  const ownLimits = accounts.some(({ limit }) => limit !== undefined);
  const hasMonthly = accounts.some(({ terms }) => terms.some(({ window }) => window === "monthly"));
  const windows = ["daily", "weekly", ...(hasMonthly ? ["monthly"] : [])];
  const rows = accounts.map((account) => [
    account.alias,
    tierWords(account)[0],
    String(account.in_flight),
    ...(ownLimits ? [account.limit ?? "main"] : []),
    account.score.toFixed(3),
    ...windows.map((window) => termText(account, window)),
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
  const reasons = accounts.map(({ why }) => whyWords(why));
  const wide = table([[...head, "WHY"], ...rows.map((row, index) => [...row, reasons[index] ?? ""])]);
  const width = Math.max(...wide.split("\n").map((line) => Bun.stringWidth(line)));
  if (columns === undefined || width <= columns) return wide;
  const lines = table([head, ...rows])
    .trimEnd()
    .split("\n");
  return lines
    .map((line, index) => (index === 0 ? `${line}\n` : `${line}\n  ${reasons[index - 1] ?? ""}\n`))
    .join("");
}
