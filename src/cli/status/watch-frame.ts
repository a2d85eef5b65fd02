// The frame of `codexlb status --watch`: lines for a screen of a given size. Pure: equal arguments give equal lines.

import type { StatusAnswer } from "../../core/status-schema.ts";
import { withoutTrailingSlash } from "../../core/urls.ts";
import { oneLine } from "../../printable.ts";
import { type Paint, paintOf } from "../terminal/colours.ts";
import { table } from "../terminal/table.ts";
import { childStateOf, type TreeChild, treeOf } from "./child-proxies.ts";
import { age } from "./status-text.ts";
import { accountRow, captionsOf, fit, layoutOf, limitRows, meanRow } from "./watch-rows.ts";

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

/** The screen: its size, the time, and whether it has colours. */
export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  readonly nowMs: number;
  readonly colour: boolean;
}

/** Returns at most `rows` lines, none wider than `columns`. The last one counts the entries that do not fit. */
export function watchLines(known: StatusSnapshot, { columns, rows, nowMs, colour }: Canvas): string[] {
  const { status, trouble } = known;
  const isOld = trouble !== undefined;
  const paint = paintOf(colour);
  // An old status is dim as a whole.
  const inner = paintOf(colour && !isOld);
  const finish = (line: string) => (isOld ? paint.dim(fit(line, columns)) : fit(line, columns));
  const share = Math.floor(rows / HEAD_SHARE);
  const alarm = isOld ? wrap(alarmOf(known, trouble, nowMs), columns, Math.max(1, share)) : [];
  const head = headOf(known, columns, inner).slice(0, Math.max(isOld ? 0 : 1, share));
  const top = [...head.map(finish), ...alarm.map(paint.bold)];

  const accounts = status.accounts.map((account) => accountRow(account, status));
  const [mean, limits] = [meanRow(status), limitRows(status)];
  const layout = layoutOf([...accounts, mean, ...limits], {
    captions: captionsOf(status),
    columns,
    nowMs,
    paint: inner,
  });
  const parts: Parts = {
    caption: accounts.length === 0 ? ["no accounts"] : [layout.caption],
    accounts: accounts.map(layout.lines),
    mean: accounts.length === 0 ? [] : layout.lines(mean),
    rest: [...limits.map(layout.lines), ...childLines(status, columns)],
  };
  return [...top, ...crop(parts, rows - top.length).map(finish)].slice(0, rows);
}

// --- internal ---

/** The head and the alarm each get at most a fourth of the screen. */
const HEAD_SHARE = 4;
const GAP = "  ";
/** Narrower screens do not show the addresses of children. */
const CHILD_URL_COLUMNS = 80;

function headOf({ status, url, answeredMs }: StatusSnapshot, columns: number, paint: Paint): string[] {
  const { policy, selection_reason: reason } = status;
  const chosen = chosenOf(status);
  const words = [
    ...(status.proxy_name === "" ? [] : [paint.bold(status.proxy_name)]),
    withoutTrailingSlash(url),
    ...(policy.mode === "" ? [] : [`policy ${policy.mode}`]),
    ...(chosen === undefined ? [] : [`next ${chosen}${reason ? ` (${reason})` : ""}`]),
    `answered ${timeOfDay(answeredMs)}`,
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
function wrap(text: string, columns: number, rows: number): string[] {
  const lines = Bun.wrapAnsi(text, columns, { hard: true }).split("\n");
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), fit(lines.slice(rows - 1).join(" "), columns)];
}

/** The time of day in the time zone of this machine. */
function timeOfDay(atMs: number): string {
  const at = new Date(atMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** The parts of a frame below its head. */
interface Parts {
  readonly caption: readonly string[];
  /** The lines of each account; they are shown together or not at all. */
  readonly accounts: readonly (readonly string[])[];
  readonly mean: readonly string[];
  readonly rest: readonly (readonly string[])[];
}

/** The lines of the parts that fit into `rows`, and the number of entries that do not. */
function crop({ caption, accounts, mean, rest }: Parts, rows: number): string[] {
  const all = [...caption, ...accounts.flat(), ...mean, ...rest.flat()];
  if (all.length < rows) return ["", ...all];
  if (all.length <= rows) return all;
  const [first = []] = accounts;
  let room = rows - 1;
  const take = (lines: readonly string[], leave: number): readonly string[] => {
    if (lines.length + leave > room) return [];
    room -= lines.length;
    return lines;
  };
  // The first account is more important than the mean, and the mean more than the caption.
  const foot = take(mean, first.length);
  const above = take(caption, first.length);
  const takeAll = (entries: readonly (readonly string[])[]): (readonly string[])[] => {
    const end = entries.findIndex((lines) => take(lines, 0).length === 0);
    return end < 0 ? [...entries] : entries.slice(0, end);
  };
  const shown = takeAll(accounts);
  const shownRest = shown.length < accounts.length ? [] : takeAll(rest);
  const hidden = accounts.length + rest.length - shown.length - shownRest.length;
  return [...above, ...shown.flat(), ...foot, ...shownRest.flat(), `and ${hidden} more`];
}

/** The lines of each child proxy, a child of a child below it and indented. */
function childLines(status: StatusAnswer, columns: number): string[][] {
  const children = treeOf(status.child_proxies, 0);
  const lines = table(children.map((entry) => childRow(entry, columns >= CHILD_URL_COLUMNS))).split("\n");
  return children.map((_, index) => [
    ...(index === 0 ? ["", "child proxies:"] : []),
    (lines[index] ?? "").trimEnd(),
  ]);
}

function childRow({ depth, child }: TreeChild, showUrl: boolean): string[] {
  const { selected_target: target, selection_reason: reason, last_error: error, next } = child;
  const chosen = target ? `selected ${target}${reason ? ` (${reason})` : ""}` : "";
  return [
    `${child.active ? "*" : " "}  ${GAP.repeat(depth)}${child.name || "none"}`,
    childStateOf(child),
    ...(showUrl ? [child.url] : []),
    error ? `${error}${next ? `; ${next}` : ""}` : chosen,
  ];
}
