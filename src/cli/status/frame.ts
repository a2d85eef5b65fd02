// The status of a proxy for a person: `codexlb status` on a terminal prints the frame once, and `--watch` keeps drawing
// it. Pure: equal arguments give equal lines.

import type { StatusAnswer } from "../../core/status-schema.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { oneLine } from "../../printable.ts";
import { fit } from "../terminal/fit.ts";
import { styleOf, type TextStyle } from "../terminal/glyphs.ts";
import { table } from "../terminal/table.ts";
import { ago, exactTimeOfDay } from "../terminal/times.ts";
import { childWords, type TreeChild, treeOf } from "./child-proxies.ts";
import { type FrameRows, frameRows } from "./frame-rows.ts";
import { addAccountStep, NO_ACCOUNTS } from "./no-accounts.ts";
import { choiceWords, switchWords } from "./reason-words.ts";
import { layoutOf, type RowLayout } from "./row-layout.ts";
import { age } from "./status-text.ts";

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

/** What the frame is drawn on. */
export interface Canvas {
  readonly columns: number;
  /** `screen`: at most so many lines, and when the proxy answered. `page`: all lines, printed once. */
  readonly height: { readonly kind: "screen"; readonly rows: number } | { readonly kind: "page" };
  readonly nowMs: number;
  readonly colour: boolean;
  /** True if the terminal shows UTF-8. */
  readonly utf8: boolean;
  /** Add the columns of `--wide`. */
  readonly wide: boolean;
}

/**
 * The lines of the frame. On a screen none is wider than `columns`, and the last one counts the entries that do not
 * fit. On a page, `wide` and less than 60 columns may make them wider.
 */
export function frameLines(known: StatusSnapshot, canvas: Canvas): string[] {
  const { columns, height, nowMs, colour, utf8, wide } = canvas;
  const { status, trouble } = known;
  const isOld = trouble !== undefined;
  const outer = styleOf({ colour, utf8 });
  // An old status is dim as a whole.
  const style = styleOf({ colour: colour && !isOld, utf8 });
  const { ellipsis } = style.glyphs;
  const isPage = height.kind === "page";
  const rows = isPage ? Number.POSITIVE_INFINITY : height.rows;
  const cut = (line: string) => (isPage && wide ? line : fit(line, columns, ellipsis));
  const finish = (line: string) => (isOld ? outer.paint.dim(cut(line)) : cut(line));
  const share = Math.floor(rows / HEAD_SHARE);
  const alarm = isOld ? wrap(alarmOf(known, trouble, nowMs), columns, Math.max(1, share), ellipsis) : [];
  const head = headOf(known, canvas, style).slice(0, Math.max(isOld ? 0 : 1, share));
  const top = [...head.map(finish), ...alarm.map(outer.paint.bold)];

  const rowsOf = frameRows(status, nowMs);
  const layout = layoutOf(rowsOf, { columns, wide, nowMs, style });
  const isEmpty = rowsOf.accounts.length === 0;
  const parts: Parts = {
    caption: isEmpty ? NO_ACCOUNTS : layout.caption,
    entries: isEmpty
      ? Bun.wrapAnsi(addAccountStep(), columns - GAP.length, { hard: true })
          .split("\n")
          .map((line) => `${GAP}${line}`)
      : [...rowsOf.accounts, ...rowsOf.limits].map(layout.line),
    pool: isEmpty ? [] : [layout.line(rowsOf.pool)],
    rest: [
      ...section("to do", remedies(rowsOf, layout)),
      ...section("last switches", switchLines(status, style, nowMs)),
      ...section("child proxies", childLines(status, columns, nowMs)),
    ],
  };
  return [...top, ...crop(parts, rows - top.length).map(finish)].slice(0, rows);
}

// --- internal ---

/** The head and the alarm each get at most a fourth of the screen. */
const HEAD_SHARE = 4;
const GAP = "  ";
/** Narrower screens do not show the addresses of children. */
const CHILD_URL_COLUMNS = 80;
/** More of them are in the event log. */
const MOST_SWITCHES = 3;

function headOf({ status, url, answeredMs }: StatusSnapshot, canvas: Canvas, { paint }: TextStyle): string[] {
  const { policy, selection_reason: reason } = status;
  const chosen = chosenOf(status);
  const words = [
    ...(status.proxy_name === "" ? [] : [paint.bold(status.proxy_name)]),
    withoutTrailingSlash(url),
    ...(policy.mode === "" ? [] : [`policy ${policy.mode}`]),
    ...(chosen === undefined ? [] : [`next ${chosen}${reason ? ` (${choiceWords(reason)})` : ""}`]),
    ...(canvas.height.kind === "page" ? [] : [`answered ${exactTimeOfDay(answeredMs)}`]),
  ];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    const joined = last === undefined ? word : `${last}${GAP}${word}`;
    if (last !== undefined && Bun.stringWidth(joined) <= canvas.columns) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  return lines;
}

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

function alarmOf({ answeredMs }: StatusSnapshot, trouble: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - answeredMs) / 1000));
  return `! ${age(seconds)} old: ${oneLine(trouble)}`;
}

/** Wraps `text` to at most `rows` lines; the last one is cut off. */
function wrap(text: string, columns: number, rows: number, ellipsis: string): string[] {
  const lines = Bun.wrapAnsi(text, columns, { hard: true }).split("\n");
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), fit(lines.slice(rows - 1).join(" "), columns, ellipsis)];
}

/** The parts of a frame below its head. */
interface Parts {
  readonly caption: string;
  /** One line for each account and each additional limit. */
  readonly entries: readonly string[];
  readonly pool: readonly string[];
  /** The lines of the sections; the first entry of a section has its heading. */
  readonly rest: readonly (readonly string[])[];
}

/** The lines of the parts that fit into `rows`, and the number of entries that do not. */
function crop({ caption, entries, pool, rest }: Parts, rows: number): string[] {
  const all = [caption, ...entries, ...pool, ...rest.flat()];
  if (all.length < rows) return ["", ...all];
  if (all.length <= rows) return all;
  let room = rows - 1;
  const take = (lines: readonly string[], leave: number): readonly string[] => {
    if (lines.length + leave > room) return [];
    room -= lines.length;
    return lines;
  };
  // The first account is more important than the pool, and the pool more than the caption.
  const least = Math.min(1, entries.length);
  const foot = take(pool, least);
  const above = take([caption], least);
  const shown = entries.slice(0, Math.max(0, room));
  room -= shown.length;
  const end = shown.length < entries.length ? 0 : rest.findIndex((lines) => take(lines, 0).length === 0);
  const shownRest = end < 0 ? rest : rest.slice(0, end);
  const hidden = entries.length + rest.length - shown.length - shownRest.length;
  return [...above, ...shown, ...foot, ...shownRest.flat(), `and ${hidden} more`];
}

/** The entries of a section below the rows, with a blank line and a heading; nothing without entries. */
function section(heading: string, entries: readonly string[]): string[][] {
  return entries.map((line, index) => [...(index === 0 ? ["", `${heading}:`] : []), line]);
}

/** The commands for accounts whose row has no room for them. */
function remedies({ accounts }: FrameRows, layout: RowLayout): string[] {
  return accounts.flatMap(({ name, state }) => {
    if (state?.command === undefined || layout.wording(state) === state.wordings[0]) return [];
    return [`${GAP}${name}: ${state.command}`];
  });
}

/** `bob: Weekly limit -> carol, 2 min ago`. */
function switchLines({ switches = [] }: StatusAnswer, { glyphs }: TextStyle, nowMs: number): string[] {
  return switches
    .slice(0, MOST_SWITCHES)
    .map(
      (one) => `${GAP}${one.from}: ${switchWords(one)} ${glyphs.arrow} ${one.to}, ${ago(one.at_ms, nowMs)}`,
    );
}

/** The line of each child proxy, a child of a child below it and indented. */
function childLines(status: StatusAnswer, columns: number, nowMs: number): string[] {
  const children = treeOf(status.child_proxies, 0);
  const lines = table(children.map((entry) => childRow(entry, columns >= CHILD_URL_COLUMNS, nowMs))).split(
    "\n",
  );
  return children.map((_, index) => (lines[index] ?? "").trimEnd());
}

function childRow({ depth, child }: TreeChild, showUrl: boolean, nowMs: number): string[] {
  const { selected_target: target, selection_reason: reason, last_error: error, next } = child;
  const chosen = target ? `next ${target}${reason ? ` (${choiceWords(reason)})` : ""}` : "";
  return [
    `${child.active ? "*" : " "} ${GAP.repeat(depth)}${child.name || "none"}`,
    childWords(child, nowMs),
    ...(showUrl ? [child.url] : []),
    error ? `${error}${next ? `; ${next}` : ""}` : chosen,
  ];
}
