// The head of a status frame: which proxy this is, what it does next, and how old the figures are. Pure.

import { choiceWords } from "../../core/reason-words.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { age } from "../../core/status-words.ts";
import { exactTimeOfDay } from "../../core/time-words.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { oneLine } from "../../printable.ts";
import { fit } from "../terminal/fit.ts";
import type { TextStyle } from "../terminal/glyphs.ts";

/** The last status of a proxy, and whether newer requests failed. */
export interface StatusSnapshot {
  readonly status: StatusAnswer;
  /** The address of the proxy. */
  readonly url: string;
  /** The time of the reply, in Unix ms. */
  readonly answeredMs: number;
  /** The reason why there is no newer reply; undefined while the proxy answers. */
  readonly trouble: string | undefined;
}

/** The lines of the head, as many as `columns` requires. `notes` are further words, for a screen. */
export function headOf(
  { status, url }: StatusSnapshot,
  { columns, notes }: { readonly columns: number; readonly notes: readonly string[] },
  { paint }: TextStyle,
): string[] {
  const { policy, selection_reason: reason } = status;
  const chosen = chosenOf(status);
  const words = [
    ...(status.proxy_name === "" ? [] : [paint.bold(status.proxy_name)]),
    withoutTrailingSlash(url),
    ...(policy.mode === "" ? [] : [`policy ${policy.mode}`]),
    ...(chosen === undefined ? [] : [`next ${chosen}${reason ? ` (${choiceWords(reason)})` : ""}`]),
    ...notes,
  ];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    const joined = last === undefined ? word : `${last}${GAP}${word}`;
    if (last !== undefined && Bun.stringWidth(joined) <= columns) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  return lines;
}

/** When the proxy answered: `answered 05:41:09`. */
export function answeredWords({ answeredMs }: StatusSnapshot): string {
  return `answered ${exactTimeOfDay(answeredMs)}`;
}

/** `! 1m old: connection refused`. */
export function alarmOf({ answeredMs }: StatusSnapshot, trouble: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - answeredMs) / 1000));
  return `! ${age(seconds)} old: ${oneLine(trouble)}`;
}

/** Wraps `text` to at most `rows` lines; the last one is cut off. A text that fits keeps its indentation. */
export function wrap(text: string, columns: number, rows: number, ellipsis: string): string[] {
  if (Bun.stringWidth(text) <= columns) return [text];
  const lines = Bun.wrapAnsi(text, columns, { hard: true }).split("\n");
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), fit(lines.slice(rows - 1).join(" "), columns, ellipsis)];
}

// --- internal ---

const GAP = "  ";

/** The account or proxy for the next turn of a new session. If the proxy does not report it, the active account. */
function chosenOf(status: StatusAnswer): string | undefined {
  const { selected_account_id: id, accounts } = status;
  const isOwn = (name: string) => name === "" || name === status.proxy_name;
  const selected = accounts.find((account) => account.id === id && isOwn(account.proxy_name));
  return (
    selected?.alias ??
    status.selected_proxy_name ??
    status.selected_proxy_url ??
    accounts.find(({ active }) => active)?.alias
  );
}
