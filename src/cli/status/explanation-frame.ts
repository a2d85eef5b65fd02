// An explanation for a person, as `codexlb explain` prints it on a terminal.

import type { Explained } from "../../admin/answers.ts";
import { advised } from "../../advice.ts";
import {
  bindingText,
  exhaustedChoice,
  termText,
  tierWords,
  unplacedWords,
  whyWords,
} from "../../core/explanation-words.ts";
import { firstBackWords } from "../../core/outage.ts";
import { choiceWords, isLoginCode, WINDOW_LIMITS } from "../../core/reason-words.ts";
import { backAt } from "../../core/time-words.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { nameWordings } from "../terminal/fit.ts";
import { fittedTable, type TableFrame } from "../terminal/fitted-table.ts";
import { noAccountsText } from "./no-accounts.ts";
import { stateBrush } from "./state-brush.ts";

/**
 * The decision, then one row for each account, the chosen one first. A command that does not fit in its row is below the
 * table, because a command broken over several lines of a column cannot be copied.
 */
export function explanationFrame(explained: Explained, frame: TableFrame, nowMs: number): string {
  if (explained.accounts.length === 0) return noAccountsText(frame.columns);
  return `${headOf(explained, frame, nowMs)}\n${accountsOf(explained, frame)}${commandsBelow(explained, frame)}`;
}

// --- internal ---

type ExplainedAccount = Explained["accounts"][number];

function headOf(explained: Explained, { columns, style: { paint } }: TableFrame, nowMs: number): string {
  const { mode, session, model, bound_to, held, chosen, reason, back: first, back_at_ms: backMs } = explained;
  const back = backMs === undefined ? "" : `; ${backWords(first, backMs, explained.accounts.length, nowMs)}`;
  const exhausted = exhaustedChoice(explained);
  const choice =
    chosen === undefined
      ? paint.red(`${unplacedWords(explained)}${back}`)
      : exhausted !== undefined
        ? (exhausted.canServe ? paint.bold : paint.red)(exhausted.words)
        : `${paint.bold(chosen)}${reason === undefined ? "" : ` (${choiceWords(reason)})`}`;
  const turn = session === undefined ? "a new session" : `session ${session}`;
  const facts = [
    `policy ${mode}`,
    ...pinFact(explained),
    ...(session === undefined
      ? []
      : [bound_to === undefined ? UNKNOWN_SESSION : bindingText(bound_to, held)]),
  ];
  const next = `next turn of ${turn}${model === undefined ? "" : ` for ${model}`}: ${choice}`;
  return [next, facts.join("; "), ...changeLine(explained)]
    .flatMap((line) => wrappedLines(line, { columns }))
    .map((line) => `${line}\n`)
    .join("");
}

/** The pin, and why it does not apply now; nothing without a pin. */
function pinFact({ accounts, pinned, chosen }: Explained): string[] {
  if (pinned === undefined) return [];
  const account = accounts.find(({ alias }) => alias === pinned);
  if (account === undefined || chosen === pinned) return [`${pinned} is pinned`];
  return [`${pinned} is pinned, but cannot serve now (${tierWords(account)[0]})`];
}

/** Why an account was not chosen; for an expired login with the command that renews it, if it fits. */
function whyCell(account: ExplainedAccount, { columns }: TableFrame): string {
  const words = whyWords(account.why);
  const command = loginCommand(account);
  return command === undefined || !fitsInRow(command, columns) ? words : `${words}; run: ${command}`;
}

/** The command that renews an expired login; undefined for other accounts. */
function loginCommand({ alias, why }: ExplainedAccount): string | undefined {
  const code = /^disabled: ([\w-]+)$/.exec(why)?.[1];
  return code !== undefined && isLoginCode(code) ? advised("account login", alias) : undefined;
}

function fitsInRow(command: string, columns: number): boolean {
  return Bun.stringWidth(command) <= columns / 2;
}

function commandsBelow({ accounts }: Explained, { columns }: TableFrame): string {
  const lines = accounts.flatMap((account) => {
    const command = loginCommand(account);
    if (command === undefined || fitsInRow(command, columns)) return [];
    return wrappedLines(`${account.alias}: ${command}`, { columns, first: "  " });
  });
  return lines.length === 0 ? "" : `\nto do:\n${lines.map((line) => `${line}\n`).join("")}`;
}

function backWords(first: string | undefined, atMs: number, total: number, nowMs: number): string {
  // Older proxies do not name the account.
  if (first === undefined) return `the first is ${backAt(atMs, nowMs)}`;
  return firstBackWords({ name: first, atMs }, total, nowMs);
}

/** A line about what can change the answer before the next turn begins; none if nothing is known to. */
function changeLine({ accounts, pinned }: Explained): string[] {
  // A pin does not depend on load or figures.
  if (pinned !== undefined) return [];
  const inFlight = accounts.reduce((sum, account) => sum + account.in_flight, 0);
  const old = accounts
    .filter(({ tier, terms }) => tier !== "out" && terms.some(({ known }) => !known))
    .map(({ alias }) => alias);
  const causes = [
    ...(inFlight === 0 ? [] : [`${inFlight} request${inFlight === 1 ? " is" : "s are"} in flight`]),
    ...(old.length === 0
      ? []
      : [`no current figures for ${namesOf(old)} (fetch them with: ${advised("status", "--refresh")})`]),
  ];
  return causes.length === 0 ? [] : [`this can still change: ${causes.join("; ")}`];
}

/** At most three names. */
function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(", ");
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}

const MOST_NAMES = 3;

const UNKNOWN_SESSION =
  "the session is unknown: this proxy has served no turn of it, so it is placed like a new one";

function accountsOf({ accounts, chosen }: Explained, frame: TableFrame): string {
  const { paint, glyphs } = frame.style;
  const isMonthly = accounts.some(({ terms }) => terms.some(({ window }) => window === "monthly"));
  const windows = (["daily", "weekly", "monthly"] as const).filter((name) => name !== "monthly" || isMonthly);
  const column = (cell: (account: ExplainedAccount) => string) => accounts.map(cell);
  // Without an own limit, all accounts are on the main one.
  const ownLimits = accounts.some(({ limit }) => limit !== undefined);
  return fittedTable(
    [
      {
        heading: "  ACCOUNT",
        cells: accounts.map(({ alias }) =>
          nameWordings(alias, glyphs.ellipsis, alias === chosen ? "* " : "  "),
        ),
        brush: (text, row) => (accounts[row]?.alias === chosen ? paint.bold(text) : text),
      },
      {
        heading: "STATUS",
        cells: column((account) => tierWords(account)[0]),
        brush: (text, row) => {
          const account = accounts[row];
          return account === undefined ? text : stateBrush(tierWords(account)[1], paint)(text);
        },
      },
      { heading: "WHY", cells: column((account) => whyCell(account, frame)), wraps: true },
      { heading: "LIMIT", cells: column(({ limit }) => (ownLimits ? (limit ?? "main") : "")), rank: 1 },
      { heading: "IN FLIGHT", cells: column(({ in_flight }) => String(in_flight)), rank: 2 },
      { heading: "SCORE", cells: column(({ score }) => score.toFixed(3)), rank: 3 },
      ...windows.map((name) => ({
        heading: WINDOW_LIMITS[name],
        cells: column((account) => termText(account, name)),
        rank: 4,
      })),
      { heading: "URGENCY", cells: column(({ urgency }) => urgency.toFixed(2)), rank: 5 },
    ],
    frame,
  );
}
