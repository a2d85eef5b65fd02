// What `codexlb proxy logs` prints of the event log: the log's own lines, or lines for a person.

import { isRepetition, isTransportDetail } from "../../core/event-filter.ts";
import { type LogEvent, logEventIn } from "../../core/log-event.ts";
import { print, printJsonText } from "../../print.ts";
import { shortLine } from "../../printable.ts";
import type { CommandContext } from "../context.ts";
import { paintOf } from "../terminal/colours.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { type FilterFlags, isFiltered, logFilter } from "./log-filter.ts";
import { logText } from "./log-text.ts";

export interface LogOutput {
  /** A terminal gets lines for a person. */
  readonly isForPeople: boolean;
  /** The log is printed as it is. */
  readonly isRaw: boolean;
  /** Flags select only some events. */
  readonly isFiltered: boolean;
  /** The lines to print for `text`, the next part of the log. */
  lines(text: string): string[];
  print(lines: readonly string[]): void;
}

/** The output for `flags`: for a person on a terminal, otherwise JSON. Throws `usage`. */
export function logOutput(
  { deps: { clock, env } }: CommandContext,
  flags: FilterFlags & { readonly json?: boolean | undefined },
): LogOutput {
  const forPeople = process.stdout.isTTY === true && !flags.json;
  const isSelective = isFiltered(flags);
  const wanted = logFilter(flags, forPeople ? "info" : "debug", clock.now());
  const paint = paintOf(wantsColour(env));
  let previous: LogEvent | undefined;

  const lineFor = (line: string): string[] => {
    const event = logEventIn(line);
    // A line that is no event, for example of another program, is shown as it is.
    if (event === undefined) return forPeople && line !== "" && !isSelective ? [`${shortLine(line)}\n`] : [];
    if (!wanted(event)) return [];
    if (forPeople && !flags.all) {
      if (isTransportDetail(event) || isRepetition(event, previous)) return [];
      previous = event;
    }
    return [forPeople ? logText(event, clock.now(), paint) : `${line}\n`];
  };

  const isRaw = !forPeople && !isSelective;
  const asReceived = (text: string) => (text === "" ? [] : [text.endsWith("\n") ? text : `${text}\n`]);
  return {
    isForPeople: forPeople,
    isRaw,
    isFiltered: isSelective,
    lines: isRaw ? asReceived : (text) => text.split("\n").flatMap(lineFor),
    print: (lines) => {
      for (const line of lines)
        if (forPeople) print(line);
        else printJsonText(line);
    },
  };
}
