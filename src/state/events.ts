// The event log: one JSON object a line in ROOT/logs/proxy.current.jsonl. It never contains tokens or bodies. The
// length of every text in it is limited, and nothing in it controls the terminal of a reader. Lines are gathered and
// appended in one write a moment later, so that no request waits for the disk. A file that has grown full becomes
// `proxy.<offset>.jsonl`, where the offset is the place of its first byte in the whole log; so places stay the same
// when files change, and a reader who follows loses nothing.

import { appendFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
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
/** More gathered text than this is written at once. */
const GATHER_LIMIT_CHARS = 64 * 1024;

/** Opens the event log at `path`; its directory is made. A log that cannot be written warns once and loses lines, not requests. */
export function openEventLog(
  path: string,
  { clock, log }: Pick<Deps, "clock" | "log">,
  { limits = DEFAULT_LIMITS, owner }: EventLogOptions = {},
): EventLog {
  makePrivateDirectory(dirname(path));
  let gathered = "";
  let cancel: (() => void) | undefined;
  let warned = false;
  const timeText = timeTexts();

  const flush = () => {
    cancel?.();
    cancel = undefined;
    if (gathered === "") return;
    const lines = gathered;
    gathered = "";
    if (owner?.isOurs() === false) return;
    try {
      makeRoom(path, Buffer.byteLength(lines), limits);
      appendFileSync(path, lines, { mode: 0o600 });
    } catch (error) {
      if (!warned)
        log.warn(`writing the event log ${path}: ${messageOf(error)}; its lines are lost meanwhile`);
      warned = true;
    }
  };

  return {
    append: (event, fields) => {
      gathered += lineOf(timeText(clock.now()), event, fields);
      if (gathered.length > GATHER_LIMIT_CHARS) flush();
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

/** Returns a function that formats Unix time, ms. Several events happen in the same millisecond. */
function timeTexts(): (nowMs: number) => string {
  let lastMs: number | undefined;
  let text = "";
  return (nowMs) => {
    if (nowMs !== lastMs) text = new Date(nowMs).toISOString();
    lastMs = nowMs;
    return text;
  };
}

/** The line of an event, its fields in alphabetical order. Four lines a request make this worth writing by hand. */
function lineOf(time: string, event: string, fields: EventFields | undefined): string {
  let members = "";
  for (const name of fields === undefined ? [] : Object.keys(fields).sort()) {
    const value = fields?.[name];
    if (value === undefined) continue;
    members += `${members === "" ? "" : ","}${JSON.stringify(name)}:${valueText(value)}`;
  }
  return `{"ts":"${time}","event":${JSON.stringify(event)}${members === "" ? "" : `,"fields":{${members}}`}}\n`;
}

function valueText(value: string | number | boolean): string {
  if (typeof value !== "string") return JSON.stringify(value);
  // Texts of others (an upstream's error) have no bound of their own.
  const short = value.length > TEXT_LIMIT_CHARS ? `${value.slice(0, TEXT_LIMIT_CHARS)}...` : value;
  const json = JSON.stringify(short);
  return PLAIN.test(json) ? json : printableJson(json);
}

const PLAIN = /^[\x20-\x7e]*$/;
