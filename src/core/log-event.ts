// The events of the event log.

import { z } from "zod";
import { parseJson } from "./json.ts";

/** One line of the event log. */
export interface LogEvent {
  /** ISO 8601, UTC. */
  readonly ts: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The event in a line of the log; undefined for other text. */
export function logEventIn(line: string): LogEvent | undefined {
  return Line.safeParse(parseJson(line)).data;
}

// --- internal ---

const Line = z.object({
  ts: z.string(),
  event: z.string(),
  fields: z.record(z.string(), z.unknown()).default({}),
});
