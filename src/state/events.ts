// The event log: one JSON object per line in ROOT/logs/proxy.current.jsonl. It never contains tokens or bodies. The
// length of every text is limited, and no text contains characters that control a terminal. Events are gathered, and
// formatted and written together a moment later, so that no request waits for the disk. A full file is renamed to
// `proxy.<offset>.jsonl`, where the offset is the position of its first byte in the whole log. Positions in the log
// therefore do not change, and a reader who follows the log loses nothing.

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { remembered } from "../core/bounded-map.ts";
import type { Deps } from "../deps.ts";
import { systemProblem } from "../errors.ts";
import { printableJson } from "../printable.ts";
import { makePrivateDirectory } from "./atomic-file.ts";
import { logParts } from "./log-parts.ts";
import type { RootOwner } from "./root-owner.ts";

export type EventFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface EventLog {
  /** Logs `event` with the current time. */
  append(event: string, fields?: EventFields): void;
  /** Writes the events in memory. */
  flush(): void;
}

export interface EventBacklog {
  /** When the oldest event that is not written yet happened, Unix ms; undefined if all are written. */
  readonly oldestMs: number | undefined;
  /** How many events were dropped because the log could not be written. */
  readonly dropped: number;
}

export interface WatchedEventLog extends EventLog {
  backlog(): EventBacklog;
  /** Calls `listener` whenever events have been written, until the returned function is called. */
  watch(listener: () => void): () => void;
}

export interface EventLogLimits {
  /** The size of a full file. */
  readonly fileBytes: number;
  /** How many full files are kept. Older ones are deleted. */
  readonly fullFiles: number;
}

export interface EventLogOptions {
  readonly limits?: EventLogLimits;
  /** Called with every event. */
  readonly seen?: (event: string, fields: EventFields) => void;
  /** Owns the root that contains the log. If the root was moved, events are dropped. */
  readonly owner?: Pick<RootOwner, "isOurs">;
}

/** At most 40 MiB: a few hundred thousand requests. */
const DEFAULT_LIMITS: EventLogLimits = { fileBytes: 8 * 1024 * 1024, fullFiles: 4 };

/** How long events are gathered. */
const GATHER_MS = 100;
/** The longest text of one field. */
const TEXT_LIMIT_CHARS = 2_000;
/** This many events, about 64 KiB, are written immediately. */
const MOST_GATHERED = 400;
/** How many events are kept while the log cannot be written, about 1 MB. Further ones are dropped. */
const MOST_KEPT = 5_000;
/** How often a log that could not be written is tried again. */
const RETRY_MS = 1_000;

/**
 * Opens the event log at `path` and creates its directory. While the log cannot be written, a bounded number of events is
 * kept and written later.
 */
export function openEventLog(
  path: string,
  { clock, log }: Pick<Deps, "clock" | "log">,
  { limits = DEFAULT_LIMITS, owner, seen }: EventLogOptions = {},
): WatchedEventLog {
  makePrivateDirectory(dirname(path));
  let gathered: PendingEvent[] = [];
  let cancel: (() => void) | undefined;
  /** How many events have been dropped since the log could not be written; undefined if it can be. */
  let droppedNow: number | undefined;
  let droppedInAll = 0;
  const listeners = new Set<() => void>();

  const failed = (error: unknown): void => {
    if (droppedNow === undefined)
      log.warn(
        `writing the event log ${path}: ${systemProblem(error)}; codexlb keeps up to ${MOST_KEPT} events until it can write again`,
      );
    droppedNow ??= 0;
    cancel ??= clock.after(RETRY_MS, flush);
  };

  const worked = (): void => {
    if (droppedNow === undefined) return;
    log.info(`the event log ${path} can be written again; events lost: ${droppedNow}`);
    gathered.push({ atMs: clock.now(), event: "log.write_resumed", fields: { dropped: droppedNow } });
    cancel ??= clock.after(GATHER_MS, flush);
    droppedNow = undefined;
  };

  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    if (gathered.length === 0) return;
    if (owner?.isOurs() === false) {
      gathered = [];
      return;
    }
    let lines = "";
    for (const entry of gathered) lines += lineOf(entry);
    try {
      write(path, Buffer.from(lines), limits);
    } catch (error) {
      failed(error);
      return;
    }
    gathered = [];
    worked();
    for (const listener of listeners) listener();
  };

  return {
    append: (event, fields) => {
      if (seen !== undefined && fields !== undefined) seen(event, fields);
      if (droppedNow !== undefined && gathered.length >= MOST_KEPT) {
        droppedNow++;
        droppedInAll++;
        return;
      }
      gathered.push({ atMs: clock.now(), event, fields });
      if (droppedNow === undefined && gathered.length >= MOST_GATHERED) flush();
      else cancel ??= clock.after(GATHER_MS, flush);
    },
    flush,
    backlog: () => ({ oldestMs: gathered[0]?.atMs, dropped: droppedInAll }),
    watch: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

// --- internal ---

/** Appends `bytes`, or nothing: a full disk may take a part, which would be there twice after the next attempt. */
function write(path: string, bytes: Buffer, limits: EventLogLimits): void {
  makeRoom(path, bytes.length, limits);
  const file = openSync(path, "a", 0o600);
  try {
    const { size } = fstatSync(file);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    } catch (error) {
      ftruncateSync(file, size);
      throw error;
    }
  } finally {
    closeSync(file);
  }
}

function makeRoom(path: string, bytes: number, { fileBytes, fullFiles }: EventLogLimits): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  // The directory may have been removed.
  if (size === undefined) makePrivateDirectory(dirname(path));
  if (size === undefined || size === 0 || size + bytes <= fileBytes) return;
  const parts = logParts(path);
  const current = parts.at(-1);
  if (current === undefined) return;
  renameSync(path, join(dirname(path), `proxy.${String(current.offset).padStart(15, "0")}.jsonl`));
  for (const old of parts.slice(0, Math.max(0, parts.length - fullFiles))) rmSync(old.path, { force: true });
}

/** An event that has not been written yet. */
interface PendingEvent {
  readonly atMs: number;
  readonly event: string;
  readonly fields: EventFields | undefined;
}

/** Remembers the texts of a few times, because several events often happen in the same millisecond. */
const timeText = remembered(16, (atMs) => new Date(Number(atMs)).toISOString());

/**
 * The line of an event, with its fields in alphabetical order. Each request has three or four lines, and building them
 * from strings takes a third of the time of `JSON.stringify` on an object. Names need no escapes, because they are
 * constants in the source code.
 */
function lineOf({ atMs, event, fields = {} }: PendingEvent): string {
  let members = "";
  for (const name of inOrder(Object.keys(fields))) {
    const value = fields[name];
    if (value === undefined) continue;
    members += members === "" ? `"${name}":` : `,"${name}":`;
    members += typeof value === "string" ? quoted(value) : plain(value);
  }
  const start = `{"ts":"${timeText(String(atMs))}","event":"${event}"`;
  return members === "" ? `${start}}\n` : `${start},"fields":{${members}}}\n`;
}

/** `names`, sorted. The fields of most events are already in order. */
function inOrder(names: string[]): string[] {
  for (let index = 1; index < names.length; index++)
    if ((names[index - 1] as string) > (names[index] as string)) return names.sort();
  return names;
}

/** A number or a boolean as JSON. `JSON.stringify` takes several times as long. */
function plain(value: number | boolean): string {
  return typeof value === "boolean" || Number.isFinite(value) ? String(value) : "null";
}

/** Texts that JSON does not change: ASCII without quotes, backslashes and control characters. */
const VERBATIM = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function quoted(text: string): string {
  // A text from another party, such as an upstream's error, may have any length.
  const short = text.length > TEXT_LIMIT_CHARS ? `${text.slice(0, TEXT_LIMIT_CHARS)}...` : text;
  return VERBATIM.test(short) ? `"${short}"` : printableJson(JSON.stringify(short));
}
