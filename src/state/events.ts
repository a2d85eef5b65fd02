// The event log: one JSON object a line in ROOT/logs/proxy.current.jsonl. It never contains tokens or bodies. The
// length of every text in it is limited, and nothing in it controls the terminal of a reader. Events are gathered,
// and formatted and appended in one write a moment later, so that no request waits for the disk. A file that has grown full becomes
// `proxy.<offset>.jsonl`, where the offset is the place of its first byte in the whole log; so places stay the same
// when files change, and a reader who follows loses nothing.

import { appendFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { remembered } from "../core/bounded-map.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import { printableJson } from "../printable.ts";
import { makePrivateDirectory } from "./atomic-file.ts";
import { logParts } from "./log-parts.ts";
import type { RootOwner } from "./root-owner.ts";

export type EventFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface EventLog {
  /** Notes that `event` happened now. */
  append(event: string, fields?: EventFields): void;
  /** Writes what is still in memory. */
  flush(): void;
}

export interface EventLogLimits {
  /** A file of this size is full. */
  readonly fileBytes: number;
  /** Full files that are kept; older ones are deleted. */
  readonly fullFiles: number;
}

export interface EventLogOptions {
  readonly limits?: EventLogLimits;
  /** Owns the root that contains the log. If the root is gone, lines are dropped. */
  readonly owner?: Pick<RootOwner, "isOurs">;
}

/** 40 MiB at most: some hundred thousand requests. */
const DEFAULT_LIMITS: EventLogLimits = { fileBytes: 8 * 1024 * 1024, fullFiles: 4 };

/** How long lines wait for company. */
const GATHER_MS = 100;
/** Longest text of one field. */
const TEXT_LIMIT_CHARS = 2_000;
/** This many events are written at once: some 64 KiB. */
const MOST_GATHERED = 400;

/** Opens the event log at `path`; its directory is made. A log that cannot be written warns once and loses lines, not requests. */
export function openEventLog(
  path: string,
  { clock, log }: Pick<Deps, "clock" | "log">,
  { limits = DEFAULT_LIMITS, owner }: EventLogOptions = {},
): EventLog {
  makePrivateDirectory(dirname(path));
  let gathered: PendingEvent[] = [];
  let cancel: (() => void) | undefined;
  let warned = false;

  const flush = () => {
    cancel?.();
    cancel = undefined;
    if (gathered.length === 0) return;
    const entries = gathered;
    gathered = [];
    if (owner?.isOurs() === false) return;
    let lines = "";
    for (const entry of entries) lines += lineOf(entry);
    try {
      const bytes = Buffer.from(lines);
      makeRoom(path, bytes.length, limits);
      appendFileSync(path, bytes, { mode: 0o600 });
    } catch (error) {
      if (!warned)
        log.warn(`writing the event log ${path}: ${messageOf(error)}; its lines are lost meanwhile`);
      warned = true;
    }
  };

  return {
    append: (event, fields) => {
      gathered.push({ atMs: clock.now(), event, fields });
      if (gathered.length >= MOST_GATHERED) flush();
      else cancel ??= clock.after(GATHER_MS, flush);
    },
    flush,
  };
}

// --- internal ---

function makeRoom(path: string, bytes: number, { fileBytes, fullFiles }: EventLogLimits): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0 || size + bytes <= fileBytes) return;
  const parts = logParts(path);
  const current = parts.at(-1);
  if (current === undefined) return;
  renameSync(path, join(dirname(path), `proxy.${String(current.offset).padStart(15, "0")}.jsonl`));
  for (const old of parts.slice(0, Math.max(0, parts.length - fullFiles))) rmSync(old.path, { force: true });
}

/** An event that is not written yet. */
interface PendingEvent {
  readonly atMs: number;
  readonly event: string;
  readonly fields: EventFields | undefined;
}

/** Several events happen in the same millisecond, and most are those of a few requests. */
const timeText = remembered(16, (atMs) => new Date(Number(atMs)).toISOString());

/**
 * The line of an event, with its fields in alphabetical order. Each request has three or four lines, and writing them
 * by hand takes a third of the time of `JSON.stringify` on an object. Names are those of the sources: nothing in them
 * needs an escape.
 */
function lineOf({ atMs, event, fields = {} }: PendingEvent): string {
  let members = "";
  for (const name of inOrder(Object.keys(fields))) {
    const value = fields[name];
    if (value === undefined) continue;
    members += members === "" ? `"${name}":` : `,"${name}":`;
    members += typeof value === "string" ? quoted(value) : JSON.stringify(value);
  }
  const start = `{"ts":"${timeText(String(atMs))}","event":"${event}"`;
  return members === "" ? `${start}}\n` : `${start},"fields":{${members}}}\n`;
}

/** `names`, sorted. Where a request's fields are listed they are in order already. */
function inOrder(names: string[]): string[] {
  for (let index = 1; index < names.length; index++)
    if ((names[index - 1] as string) > (names[index] as string)) return names.sort();
  return names;
}

/** Texts without quotes, backslashes and anything beyond ASCII, which JSON writes as they are. */
const VERBATIM = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function quoted(text: string): string {
  // Texts of others (an upstream's error) have no bound of their own.
  const short = text.length > TEXT_LIMIT_CHARS ? `${text.slice(0, TEXT_LIMIT_CHARS)}...` : text;
  return VERBATIM.test(short) ? `"${short}"` : printableJson(JSON.stringify(short));
}
