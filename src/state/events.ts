// The event log: one JSON object a line in ROOT/logs/proxy.current.jsonl. Never a token, never a body in it.
// Lines are gathered and appended in one write a moment later, so that no request waits for the disk.

import { appendFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { makePrivateDirectory } from "./atomic-file.ts";

export type EventFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface EventLog {
  /** Notes that `event` happened now. */
  append(event: string, fields?: EventFields): void;
  /** Writes what is still in memory. */
  flush(): void;
}

/** How long lines wait for company. */
const GATHER_MS = 100;
/** More gathered text than this is written at once. */
const GATHER_LIMIT_CHARS = 64 * 1024;

/** Opens the event log at `path`; its directory is made. A log that cannot be written warns once and loses lines, not requests. */
export function openEventLog(path: string, { clock, log }: Pick<Deps, "clock" | "log">): EventLog {
  makePrivateDirectory(dirname(path));
  let gathered = "";
  let cancel: (() => void) | undefined;
  let warned = false;

  const flush = () => {
    cancel?.();
    cancel = undefined;
    if (gathered === "") return;
    const lines = gathered;
    gathered = "";
    try {
      appendFileSync(path, lines, { mode: 0o600 });
    } catch (error) {
      if (!warned)
        log.warn(`writing the event log ${path}: ${messageOf(error)}; its lines are lost meanwhile`);
      warned = true;
    }
  };

  return {
    append: (event, fields) => {
      gathered += `${JSON.stringify({ ts: new Date(clock.now()).toISOString(), event, ...fieldsOf(fields) })}\n`;
      if (gathered.length > GATHER_LIMIT_CHARS) flush();
      else cancel ??= clock.after(GATHER_MS, flush);
    },
    flush,
  };
}

// --- internal ---

function fieldsOf(fields: EventFields | undefined): { fields?: Record<string, unknown> } {
  if (fields === undefined) return {};
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (known.length === 0) return {};
  return { fields: Object.fromEntries(known.sort(([a], [b]) => (a < b ? -1 : 1))) };
}
