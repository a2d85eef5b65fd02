// Decides how wide the columns of the status frame are. The columns grow in a fixed order, and stop at the first step
// for which there is no room. So a wider terminal shows everything that a narrower one shows.

import type { ShownState } from "../../core/account-state.ts";
import { OPTION_HEADINGS } from "../../core/option-words.ts";
import type { FrameRow, TextColumn } from "../../core/status-rows.ts";
import { type CellSize, cellWidth } from "./window-cell.ts";

/** The columns between those of all rows. */
export const GAP = "  ";
/** The marks of the active and of the selected account. */
export const INDENT = 2;
export const PIN = "PIN";

/** The widths of all columns. */
export interface ColumnPlan {
  readonly name: number;
  readonly state: number;
  readonly captions: readonly string[];
  readonly cell: CellSize;
  readonly texts: readonly (readonly [TextColumn, number])[];
}

/** The widths of the window columns. */
export function windowWidths({ captions, cell }: ColumnPlan): readonly number[] {
  return captions.map((caption) => Math.max(caption.length, cellWidth(cell)));
}

/** The room for the state of a row: that of its blank window columns, too, if the account is out of service. */
export function stateWidth({ isDead = false }: ShownState, plan: ColumnPlan): number {
  return isDead ? plan.state + blankWidth(plan) : plan.state;
}

/** The plan that fits `rows` into `columns`. `wide`: show the columns of `--wide`, even if they do not fit. */
export function planOf(
  rows: readonly FrameRow[],
  fullCaptions: readonly string[],
  { columns, wide }: { readonly columns: number; readonly wide: boolean },
): ColumnPlan {
  let plan = narrowest(rows, fullCaptions, wide);
  for (const grow of growthOf(rows, fullCaptions)) {
    const wider = grow(plan);
    if (widthOf(wider) > columns) break;
    plan = wider;
  }
  return plan;
}

// --- internal ---

const STATUS_WIDTH = "STATUS".length;
const ACCOUNT_WIDTH = "ACCOUNT".length;
/** Longer names and states are shortened until there are bars. */
const SHORT_NAME = 12;
const SHORT_STATE = 20;
/** Longer names and states are shortened until there are all columns. */
const USUAL_NAME = 24;
const USUAL_STATE = 28;
/** Shorter bars say less than the percentage before them. */
const SHORTEST_BAR = 6;
/** Longer bars are harder to compare. */
const LONGEST_BAR = 24;
/** In the order in which they get room. */
const OPTIONAL: readonly TextColumn[] = ["CREDITS", "RESETS", "IN FLIGHT", "SESSIONS", "PLAN"];
const LAST: TextColumn = "EMAIL";
const WIDE: readonly TextColumn[] = [...OPTION_HEADINGS, "PROXY", "SCORE", "FIGURES"];
/** In the order in which they are shown. */
const TEXT_COLUMNS: readonly TextColumn[] = [...OPTIONAL, LAST, ...WIDE];

type Growth = (plan: ColumnPlan) => ColumnPlan;

function narrowest(rows: readonly FrameRow[], captions: readonly string[], wide: boolean): ColumnPlan {
  const shortest = statesOf(rows)
    .filter(({ isDead }) => !isDead)
    .map(({ wordings }) => Math.min(...wordings.map((words) => Bun.stringWidth(words))));
  const plan: ColumnPlan = {
    name: Math.min(longestName(rows), SHORT_NAME),
    state: Math.max(STATUS_WIDTH, ...shortest),
    captions: captions.map(shortCaption),
    cell: { bar: 0, hasReset: false },
    texts: [],
  };
  const grown = (wide ? WIDE : []).reduce((before, column) => withText(column, rows)(before), plan);
  // Without any room a dead login still has its shortest wording.
  return statesOf(rows).reduce((before, state) => withWording(state, state.wordings.at(-1))(before), grown);
}

/** The steps in which the columns grow. */
function growthOf(rows: readonly FrameRow[], captions: readonly string[]): Growth[] {
  const longest = longestName(rows);
  const nameOf =
    (width: number): Growth =>
    (plan) => ({ ...plan, name: Math.max(plan.name, Math.min(longest, width)) });
  return [
    (plan) => ({ ...plan, cell: { ...plan.cell, hasReset: true } }),
    (plan) => ({ ...plan, captions }),
    ...wordingSteps(rows, 0, SHORT_STATE),
    withBar(SHORTEST_BAR),
    ...wordingSteps(rows, SHORT_STATE, USUAL_STATE),
    nameOf(USUAL_NAME),
    ...OPTIONAL.map((column) => withText(column, rows)),
    ...wordingSteps(rows, USUAL_STATE, Number.POSITIVE_INFINITY),
    nameOf(longest),
    withText(LAST, rows),
    ...Array.from({ length: LONGEST_BAR - SHORTEST_BAR }, (_, index) => withBar(SHORTEST_BAR + 1 + index)),
  ];
}

/** Makes room for the wordings of all states that are longer than `above` and at most `most`, the shortest first. */
function wordingSteps(rows: readonly FrameRow[], above: number, most: number): Growth[] {
  return statesOf(rows)
    .flatMap((state) => state.wordings.map((words) => ({ state, words, width: Bun.stringWidth(words) })))
    .filter(({ width }) => width > above && width <= most)
    .sort((a, b) => a.width - b.width)
    .map(({ state, words }) => withWording(state, words));
}

function withWording(state: ShownState, words = ""): Growth {
  return (plan) => {
    const missing = Math.max(0, Bun.stringWidth(words) - stateWidth(state, plan));
    return { ...plan, state: plan.state + missing };
  };
}

function withBar(bar: number): Growth {
  return (plan) => ({ ...plan, cell: { ...plan.cell, bar } });
}

/** Adds a text column, unless all its cells are blank. */
function withText(column: TextColumn, rows: readonly FrameRow[]): Growth {
  const widest = Math.max(0, ...rows.map(({ texts }) => Bun.stringWidth(texts[column] ?? "")));
  if (widest === 0) return (plan) => plan;
  const place = TEXT_COLUMNS.indexOf(column);
  return (plan) => ({
    ...plan,
    texts: [
      ...plan.texts.filter(([other]) => TEXT_COLUMNS.indexOf(other) < place),
      [column, Math.max(column.length, widest)],
      ...plan.texts.filter(([other]) => TEXT_COLUMNS.indexOf(other) > place),
    ],
  });
}

function widthOf(plan: ColumnPlan): number {
  const texts = plan.texts.reduce((sum, [, width]) => sum + GAP.length + width, 0);
  return INDENT + plan.name + GAP.length + PIN.length + GAP.length + plan.state + blankWidth(plan) + texts;
}

/** The width of all window columns with the gaps before them. */
function blankWidth(plan: ColumnPlan): number {
  return windowWidths(plan).reduce((sum, width) => sum + GAP.length + width, 0);
}

function statesOf(rows: readonly FrameRow[]): ShownState[] {
  return rows.flatMap(({ state }) => state ?? []);
}

function longestName(rows: readonly FrameRow[]): number {
  return Math.max(ACCOUNT_WIDTH, ...rows.map(({ name }) => Bun.stringWidth(name)));
}

/** `5h limit` without `limit`. */
function shortCaption(caption: string): string {
  return caption.replace(/ limit$/, "");
}
