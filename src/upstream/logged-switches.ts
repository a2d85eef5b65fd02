// Reads the last switches from the event log when a proxy starts, so that a restart does not lose their history.

import { z } from "zod";
import { logEventIn } from "../core/log-event.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import { WINDOW_KINDS } from "../core/windows.ts";
import { lastLinesWith } from "../state/log-parts.ts";
import type { MovedTurn } from "./switches.ts";

/**
 * The turns that moved according to the event log at `path`, oldest first. Only the end of a long log is read. Empty if
 * the log cannot be read.
 */
export function loggedSwitches(path: string): MovedTurn[] {
  try {
    return lastLinesWith(path, `"event":"${SWITCHED}"`, BOUNDS).flatMap(movedTurnIn);
  } catch {
    return []; // The history is only for display, and the event log reports its own problems.
  }
}

// --- internal ---

const SWITCHED = "request.switched";
/** This covers thousands of events. Reading them delays the start by a few milliseconds. */
const BOUNDS = { most: 500, mostBytes: 1024 * 1024 };

const Fields = z.object({
  from: z.string(),
  to: z.string(),
  reason: z.string(),
  window: z.string().optional(),
  session: z.string().optional(),
});

function movedTurnIn(line: string): MovedTurn[] {
  const event = logEventIn(line);
  const fields = Fields.safeParse(event?.fields).data;
  const atMs = Date.parse(event?.ts ?? "");
  if (event?.event !== SWITCHED || fields === undefined || Number.isNaN(atMs)) return [];
  const { window: name, session, ...accounts } = fields;
  const window = WINDOW_KINDS.find((kind) => FIELD_NAMES[kind] === name);
  return [
    {
      atMs,
      ...accounts,
      ...(window === undefined ? {} : { window }),
      ...(session === undefined ? {} : { session }),
    },
  ];
}
