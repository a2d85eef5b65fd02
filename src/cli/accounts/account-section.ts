// A section of `codexlb account show` on a terminal: a label, and texts beside it, or below it if the terminal is narrow.

import { wrappedLines } from "../../wrapped-lines.ts";
import type { TextStyle } from "../terminal/glyphs.ts";

/** A text of a section, after `first` (default: ""). Its further lines are indented by the width of `first`. */
export interface SectionText {
  readonly first?: string;
  readonly text: string;
}

/** The lines of the section `label`; none without texts. */
export function sectionLines(
  label: string,
  texts: readonly SectionText[],
  columns: number,
  { paint }: TextStyle,
): string[] {
  if (texts.length === 0) return [];
  const isNarrow = columns < NARROW_COLUMNS;
  const name = paint.dim(isNarrow ? label : label.padEnd(LABEL_WIDTH));
  const indent = isNarrow ? MARGIN : " ".repeat(MARGIN.length + LABEL_WIDTH + MARGIN.length);
  const lines = texts.flatMap(({ first = "", text }, index) => {
    const isBeside = index === 0 && !isNarrow;
    const margin = isBeside ? `${MARGIN}${name}${MARGIN}` : indent;
    return wrappedLines(text, { columns, first: `${margin}${first}` });
  });
  return isNarrow ? [name, ...lines] : lines;
}

// --- internal ---

const LABEL_WIDTH = "Next step".length;
const MARGIN = "  ";
/** On narrower terminals the texts are below their labels. */
const NARROW_COLUMNS = 40;
