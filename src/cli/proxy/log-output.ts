// What `codexlb proxy logs` prints of the event log: the log's own lines, or lines for a person.

import { logEventIn } from "../../core/log-event.ts";
import type { Deps } from "../../deps.ts";
import { print, printJsonText } from "../../print.ts";
import { shortLine } from "../../printable.ts";
import { terminalColumns, USUAL_COLUMNS } from "../../terminal-columns.ts";
import { paintOf } from "../terminal/colours.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { type FilterFlags, isFiltered, logFilter } from "./log-filter.ts";
import { createLogFolds, type Fold } from "./log-folds.ts";
import { logText } from "./log-text.ts";

export interface LogOutput {
  /** A terminal gets lines for a person. */
  readonly isForPeople: boolean;
  /** The log is printed as it is. */
  readonly isRaw: boolean;
  /** Flags select only some events. */
  readonly isFiltered: boolean;
  /** The lines to print for `text`, the next part of the log. The line of a failure that may be repeated comes later. */
  lines(text: string): string[];
  /**
   * The line of a failure that may still be repeated, if there is something new in it. `isFollowed`: repetitions are
   * reported from time to time only, because a line that is printed does not change any more.
   */
  openLine(isFollowed: boolean): string[];
  print(lines: readonly string[]): void;
}

/** The output for `flags`: for a person on a terminal, otherwise JSON. Throws `usage`. */
export function logOutput(
  { deps: { clock, env } }: { readonly deps: Pick<Deps, "clock" | "env"> },
  flags: FilterFlags & { readonly json?: boolean | undefined },
): LogOutput {
  const columns = flags.json ? undefined : terminalColumns(process.stdout, env);
  const forPeople = columns !== undefined;
  const isSelective = isFiltered(flags);
  const wanted = logFilter(flags, forPeople ? "info" : "debug", clock.now());
  const paint = paintOf(wantsColour(env));
  const folds = createLogFolds();
  let foldShownMs = 0;

  const textOf = (fold: Fold | undefined): string[] =>
    fold === undefined
      ? []
      : [logText(fold, { columns: columns ?? USUAL_COLUMNS, nowMs: clock.now(), paint })];
  const openLine = (isFollowed: boolean): string[] => {
    const isRepeated = folds.shown() > 0;
    if (isFollowed && isRepeated && clock.monotonic() - foldShownMs < REPEATS_MS) return [];
    const lines = textOf(folds.rest());
    if (lines.length > 0) foldShownMs = clock.monotonic();
    return lines;
  };
  const lineFor = (line: string): string[] => {
    const event = logEventIn(line);
    // A line that is no event, for example of another program, is shown as it is.
    if (event === undefined)
      return forPeople && line !== "" && !isSelective ? [...openLine(false), `${shortLine(line)}\n`] : [];
    if (!wanted(event)) return [];
    if (!forPeople) return [`${line}\n`];
    if (flags.all) return textOf({ first: event, last: event, count: 1 });
    return textOf(folds.add(event));
  };

  const isRaw = !forPeople && !isSelective;
  const asReceived = (text: string) => (text === "" ? [] : [text.endsWith("\n") ? text : `${text}\n`]);
  return {
    isForPeople: forPeople,
    isRaw,
    isFiltered: isSelective,
    openLine,
    lines: isRaw ? asReceived : (text) => text.split("\n").flatMap(lineFor),
    print: (lines) => {
      for (const line of lines)
        if (forPeople) print(line);
        else printJsonText(line);
    },
  };
}

// --- internal ---

/** How often a failure that is repeated all the time is reported, in ms. */
const REPEATS_MS = 30_000;
