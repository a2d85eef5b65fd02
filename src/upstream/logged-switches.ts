// Reads the last switches from the event log when a proxy starts, so that a restart does not lose their history.

import { z } from "zod";
import { logEventIn } from "../core/log-event.ts";
import type { MovedTurn } from "../core/pool-facts.ts";
import { FIELD_NAMES } from "../core/status-quota.ts";
import { WINDOW_KINDS } from "../core/windows.ts";
import { lastLinesWith } from "../state/log-parts.ts";

/**
 * The turns that moved according to the event log at `path`, oldest first. Only the end of a long log is read. Empty if
 * the log cannot be read.
 */
export function loggedSwitches(path: string): MovedTurn[] {
  try {
    const moved = lastLinesWith(path, `"event":"${SWITCHED}"`, BOUNDS).flatMap(movedTurnIn);
    return moved.sort((one, other) => one.atMs - other.atMs);
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
  /** Of a switch on another replica: its name, and when the turn moved there, Unix ms. */
  replica: z.string().optional(),
  at_ms: z.number().optional(),
});

function movedTurnIn(line: string): MovedTurn[] {
  const event = logEventIn(line);
  const fields = Fields.safeParse(event?.fields).data;
  const atMs = Date.parse(event?.ts ?? "");
  if (event?.event !== SWITCHED || fields === undefined || Number.isNaN(atMs)) return [];
  const { window: name, session, replica, at_ms, ...accounts } = fields;
  const window = WINDOW_KINDS.find((kind) => FIELD_NAMES[kind] === name);
  return [
    {
      atMs: at_ms ?? atMs,
      ...accounts,
      ...(window === undefined ? {} : { window }),
      ...(session === undefined ? {} : { session }),
      ...(replica === undefined ? {} : { replica }),
    },
  ];
}
