// The status of a proxy for a person: `codexlb status` on a terminal prints the frame once, and `--watch` keeps drawing
// it. Pure: equal arguments give equal lines.

import { isDuplicate } from "../../core/cluster-words.ts";
import { forecastLines } from "../../core/forecast/forecast-words.ts";
import { switchText } from "../../core/reason-words.ts";
import { type FrameRows, frameRows } from "../../core/status-rows.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { ago } from "../../core/time-words.ts";
import { oneLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { fill, fit } from "../terminal/fit.ts";
import { styleOf, type TextStyle } from "../terminal/glyphs.ts";
import { childEntries } from "./child-section.ts";
import { crop, type Viewport } from "./frame-crop.ts";
import { alarmOf, headOf, type StatusSnapshot, updatedWords, wrap } from "./frame-head.ts";
import { addAccountStep, NO_ACCOUNTS } from "./no-accounts.ts";
import { replicaRows } from "./replica-section.ts";
import { layoutOf, type RowLayout } from "./row-layout.ts";
import { withShortNames } from "./short-names.ts";
import { historySection } from "./switch-history.ts";

/** What the frame is drawn on. */
export interface Canvas {
  readonly columns: number;
  /** `screen`: at most so many lines, and when the proxy answered. `page`: all lines, printed once. */
  readonly height:
    | { readonly kind: "screen"; readonly rows: number; readonly list?: FrameList }
    | { readonly kind: "page" };
  readonly nowMs: number;
  readonly colour: boolean;
  /** True if the terminal shows UTF-8. */
  readonly utf8: boolean;
  /** Add the columns of `--wide`. */
  readonly wide: boolean;
}

/** The rows that a screen shows, and which one is selected. */
export interface FrameList {
  /** The accounts to show: positions in the status, in the order of the rows. */
  readonly order: readonly number[];
  /** The position of the selected one in `order`; undefined if there is none. */
  readonly selected: number | undefined;
  /** The entries that the screen showed before. */
  readonly viewport: Viewport;
  /** Words for the head, such as the sort order. */
  readonly notes: readonly string[];
  /** What to show if `order` is empty. */
  readonly empty: string;
  /** Show the history of switches in place of the other sections. */
  readonly history: boolean;
}

/** A frame, and the entries of its list that are visible. */
export interface Frame {
  readonly lines: string[];
  readonly viewport: Viewport;
}

/** The lines of `frameOf`. */
export function frameLines(known: StatusSnapshot, canvas: Canvas): string[] {
  return frameOf(known, canvas).lines;
}

/**
 * The frame. On a screen no line is wider than `columns`, and the last one counts the entries that do not fit. On a
 * page, `wide`, less than 60 columns, and commands and URLs without room may make lines wider.
 */
export function frameOf(known: StatusSnapshot, canvas: Canvas): Frame {
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
  const dimmed = (line: string) => (isOld ? outer.paint.dim(line) : line);
  const finish = (line: string) => dimmed(cut(line));
  const whole = (text: string) =>
    isPage
      ? wrappedLines(text, { columns, first: GAP }).map(dimmed)
      : wrappedLines(text, { columns, first: GAP, strict: true }).map(finish);
  const named = (textsOf: (status: StatusAnswer) => string[]) =>
    isPage ? textsOf(status) : withShortNames(status, columns - GAP.length, ellipsis, textsOf);
  const brief = (text: string) => (isPage ? whole(text) : [finish(`${GAP}${text}`)]);
  const share = Math.floor(rows / HEAD_SHARE);
  const alarm = isOld ? wrap(alarmOf(known, trouble, nowMs), columns, Math.max(1, share), ellipsis) : [];
  const list = (isPage ? undefined : height.list) ?? everyRow(status);
  const notes = isPage ? [] : [...list.notes, updatedWords(known)];
  const head = headOf(known, { columns, notes, nowMs }, style).slice(0, Math.max(isOld ? 0 : 1, share));
  const top = [...head.map(finish), ...alarm.map(outer.paint.bold)];

  const rowsOf = frameRows(status, nowMs);
  const layout = layoutOf(rowsOf, { columns, wide, nowMs, style });
  const shown = list.order.flatMap((index) => rowsOf.accounts[index] ?? []);
  const entries = shown.map((row, index) => {
    const isSelected = index === list.selected;
    const line = finish(layout.line(row, isSelected));
    return isSelected ? outer.paint.reverse(fill(Bun.stripANSI(line), columns, ellipsis)) : line;
  });
  const isEmpty = rowsOf.accounts.length === 0;
  const limits = shown.length < rowsOf.accounts.length ? [] : rowsOf.limits;
  const sections = list.history
    ? historySection(status, { columns, nowMs, style }).map((lines) => lines.map(finish))
    : [
        ...section(
          finish("to do:"),
          [...remedies(rowsOf, layout), ...usageRemedy(status), ...replicaRemedy(status)].map(whole),
        ),
        ...section(finish("at this pace:"), named((one) => paceTexts(one, canvas)).map(brief)),
        ...section(finish("last switches:"), named((one) => switchTexts(one, style, nowMs)).map(brief)),
        ...section(
          finish("replicas:"),
          replicaRows(status, nowMs).map((row) => [finish(row)]),
        ),
        ...section(
          finish("child proxies:"),
          childEntries(status, { columns, nowMs, isPage }).map(({ row, problem }) => [
            finish(row),
            ...problem.map(dimmed),
          ]),
        ),
      ];
  const parts = {
    caption: finish(shown.length === 0 ? list.empty : layout.caption),
    entries: isEmpty
      ? whole(addAccountStep())
      : [...entries, ...limits.map((row) => finish(layout.line(row)))],
    pool: isEmpty ? [] : [finish(layout.line(rowsOf.pool))],
    rest: sections,
  };
  const { selected } = list;
  const isLast = selected === shown.length - 1;
  const { lines, viewport } = crop(parts, {
    rows: rows - top.length,
    from: list.viewport.first,
    // The limits below the last account cannot be selected, so the last account shows them.
    needed: selected === undefined ? [] : [selected, ...(isLast ? [parts.entries.length - 1] : [])],
    hidden: (above, below) => finish(hiddenWords(above, below)),
    mostEntries: list.history
      ? entriesBesideHistory(rows - top.length, sections.flat().length)
      : Number.POSITIVE_INFINITY,
  });
  return { lines: [...top, ...lines].slice(0, rows), viewport };
}

// --- internal ---

/** The head and the alarm each get at most a fourth of the screen. */
const HEAD_SHARE = 4;
/** The history of switches leaves room for this number of accounts. */
const LEAST_ENTRIES = 3;
/** The headings, the pool, and the line that counts what has no room. */
const OTHER_LINES = 3;
const GAP = "  ";
/** `--wide` shows all of them. */
const MOST_FORECASTS = 4;
/** More of them are in the event log. */
const MOST_SWITCHES = 3;

function hiddenWords(above: number, below: number): string {
  if (above === 0) return `and ${below} more`;
  return below === 0 ? `${above} above` : `${above} above, and ${below} more`;
}

/** How many entries a screen with `rows` below its head shows if the history has `lines`: the history gets half. */
function entriesBesideHistory(rows: number, lines: number): number {
  const room = rows - OTHER_LINES;
  return Math.max(LEAST_ENTRIES, room - Math.min(lines, Math.floor(room / 2)));
}

/** All accounts as they are listed, without a selection. */
function everyRow({ accounts }: StatusAnswer): FrameList {
  return {
    order: [...accounts.keys()],
    selected: undefined,
    viewport: { first: 0, rows: 0 },
    notes: [],
    empty: NO_ACCOUNTS,
    history: false,
  };
}

/** The lines of each entry of a section below the rows, with a blank line and a heading; nothing without entries. */
function section(heading: string, entries: readonly (readonly string[])[]): string[][] {
  return entries.map((lines, index) => [...(index === 0 ? ["", heading] : []), ...lines]);
}

/** The commands for accounts whose row has no room for them. */
function remedies({ accounts }: FrameRows, layout: RowLayout): string[] {
  return accounts.flatMap(({ name, state }) => {
    if (state?.command === undefined || layout.wording(state) === state.wordings[0]) return [];
    return [`${name}: ${state.command}`];
  });
}

function usageRemedy({ usage_problem: problem }: StatusAnswer): string[] {
  return problem === undefined ? [] : [`turns are not recorded: ${oneLine(problem)}`];
}

function replicaRemedy({ cluster }: StatusAnswer): string[] {
  const error = cluster?.error;
  if (error === undefined) return [];
  return [
    isDuplicate(cluster) ? oneLine(error) : `the pool ${cluster?.pool} cannot be used: ${oneLine(error)}`,
  ];
}

/** `alice, Weekly limit: reached Tue 14:00 (between Tue 09:00 and the reset)`. */
function paceTexts(status: StatusAnswer, { columns, nowMs, wide }: Canvas): string[] {
  return forecastLines(status, nowMs)
    .slice(0, wide ? undefined : MOST_FORECASTS)
    .map(({ name, wordings }) => {
      const texts = wordings.map((words) => `${name}: ${words}`);
      return texts.find((text) => Bun.stringWidth(text) <= columns - GAP.length) ?? texts.at(-1) ?? "";
    });
}

/** `bob: Weekly limit → carol, 2 min ago`; of several turns `bob: Weekly limit → carol (4 turns), last 2 min ago`. */
function switchTexts({ switches = [] }: StatusAnswer, { glyphs }: TextStyle, nowMs: number): string[] {
  return switches.slice(0, MOST_SWITCHES).map((one) => {
    const when = `${(one.count ?? 1) > 1 ? "last " : ""}${ago(one.at_ms, nowMs)}`;
    return `${switchText(one, glyphs.arrow)}, ${when}`;
  });
}
