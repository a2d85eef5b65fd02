// Reads lines of the event log: the last ones, those from an offset on, or the last ones with a text. Reads only the
// blocks that it needs, never whole files, and returns complete lines only.

import { closeSync, openSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { namesIn } from "./names-in.ts";

/** One file of the log. */
export interface LogPart {
  readonly path: string;
  /** The offset of its first byte in the whole log. */
  readonly offset: number;
  readonly bytes: number;
}

export interface LogQuery {
  /** Where to start. An offset that is no longer in the log means the oldest line, one beyond the end means the end. */
  readonly offset?: number | undefined;
  /** Without an offset: the number of last lines. */
  readonly tail: number;
  /** The largest number of lines. */
  readonly limit: number;
}

export interface LogLines {
  /** Complete lines, each with its line end. */
  readonly text: string;
  /** The offset after the last line. */
  readonly nextOffset: number;
}

/** The approximate limit on the size of a result, whatever the number of requested lines. */
const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;

/** Lines of the log whose current file is `path`; none if there is no log yet. */
export function readLogLines(path: string, { offset, tail, limit }: LogQuery): LogLines {
  const parts = logParts(path);
  return offset === undefined ? lastLines(parts, Math.min(tail, limit)) : linesFrom(parts, offset, limit);
}

/** The files of the log, oldest first, the current one last. */
export function logParts(path: string): LogPart[] {
  const directory = dirname(path);
  const full = namesIn(directory)
    .flatMap((name) => {
      const offset = /^proxy\.(\d{15})\.jsonl$/.exec(name)?.[1];
      return offset === undefined ? [] : [partAt(join(directory, name), Number(offset))];
    })
    .sort((a, b) => a.offset - b.offset);
  const last = full.at(-1);
  return [...full, partAt(path, last === undefined ? 0 : last.offset + last.bytes)];
}

/**
 * The last lines that contain `text`, oldest first: at most `most`, from about the last `mostBytes` of the log. The
 * last line of a file may be incomplete, because the process that wrote it was killed.
 */
export function lastLinesWith(
  path: string,
  text: string,
  { most, mostBytes }: { readonly most: number; readonly mostBytes: number },
): string[] {
  const found: string[] = [];
  // One buffer for all blocks, so that a long log does not make the process grow.
  const space = Buffer.alloc(2 * BLOCK_BYTES);
  let left = mostBytes;
  for (const part of logParts(path).reverse()) {
    // The size of the end of the line that begins in the block before.
    let rest = 0;
    for (let end = part.bytes; end > 0 && left > 0 && found.length < most; ) {
      const start = Math.max(0, end - BLOCK_BYTES);
      space.copyWithin(end - start, 0, rest);
      readBlock(part, start, end - start, space);
      const block = space.subarray(0, end - start + rest);
      const first = start === 0 ? 0 : block.indexOf(NEWLINE) + 1;
      // A longer line is not an event.
      rest = first > BLOCK_BYTES ? 0 : first;
      found.push(...linesWith(block.subarray(first), text).reverse());
      left -= end - start;
      end = start;
    }
  }
  return found.slice(0, most).reverse();
}

// --- internal ---

const NEWLINE = 10;

function partAt(path: string, offset: number): LogPart {
  return { path, offset, bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
}

function linesFrom(parts: readonly LogPart[], from: number, limit: number): LogLines {
  const first = parts[0]?.offset ?? 0;
  const last = parts.at(-1);
  const end = last === undefined ? 0 : last.offset + last.bytes;
  let at = Math.min(Math.max(from, first), end);
  let left = limit;
  let bytes = 0;
  const chunks: Buffer[] = [];
  for (const part of parts) {
    if (at > part.offset && at < part.offset + part.bytes) at = lineStart(part, at);
    while (left > 0 && bytes < ANSWER_LIMIT_BYTES && at >= part.offset && at < part.offset + part.bytes) {
      const block = readBlock(part, at - part.offset, BLOCK_BYTES);
      const lines = upToLine(block, left);
      if (lines.bytes === 0 && block.length < BLOCK_BYTES) return { text: textOf(chunks), nextOffset: at };
      // A block without a line end is part of a line that is too long to be an event. It is skipped block by block.
      const taken = lines.bytes === 0 ? block.length : lines.bytes;
      if (lines.bytes > 0) chunks.push(block.subarray(0, taken));
      left -= lines.count;
      bytes += taken;
      at += taken;
    }
  }
  return { text: textOf(chunks), nextOffset: at };
}

/** The offset of the first line that begins at `at` or later. */
function lineStart(part: LogPart, at: number): number {
  let from = at - part.offset - 1;
  while (from < part.bytes) {
    const block = readBlock(part, from, BLOCK_BYTES);
    const end = block.indexOf(NEWLINE);
    if (end >= 0) return part.offset + from + end + 1;
    from += block.length;
  }
  // The last line is not complete yet. A later query returns it.
  return at;
}

function lastLines(parts: readonly LogPart[], count: number): LogLines {
  const last = parts.at(-1);
  let nextOffset = last === undefined ? 0 : last.offset + last.bytes;
  const chunks: Buffer[] = [];
  let lines = 0;
  let bytes = 0;
  let cut = false;
  let headWhole = true;
  for (const part of [...parts].reverse()) {
    let end = part.bytes;
    while (end > 0 && lines <= count && bytes < ANSWER_LIMIT_BYTES) {
      const start = Math.max(0, end - BLOCK_BYTES);
      let block = readBlock(part, start, end - start);
      if (!cut && part === last) {
        // The line after the last line end is not complete yet.
        const whole = block.lastIndexOf(NEWLINE) + 1;
        if (whole === 0 && start > 0) {
          end = start;
          continue;
        }
        nextOffset = part.offset + start + whole;
        block = block.subarray(0, whole);
      }
      cut = true;
      chunks.unshift(block);
      lines += countLines(block);
      bytes += block.length;
      end = start;
      headWhole = start === 0;
    }
  }
  const all = textOf(chunks)
    .split("\n")
    .slice(headWhole ? 0 : 1, -1);
  return {
    text: all
      .slice(-count)
      .map((line) => `${line}\n`)
      .join(""),
    nextOffset,
  };
}

/** Reads `length` bytes from `start` into `block`. Returns the part of it that was filled. */
function readBlock(
  { path }: LogPart,
  start: number,
  length: number,
  block: Buffer = Buffer.alloc(length),
): Buffer {
  const file = openSync(path, "r");
  try {
    return block.subarray(0, readSync(file, block, 0, length, start));
  } finally {
    closeSync(file);
  }
}

/** The number of complete lines at the start of `block`, at most `limit`, and their size. */
function upToLine(block: Buffer, limit: number): { count: number; bytes: number } {
  let count = 0;
  let bytes = 0;
  while (count < limit) {
    const end = block.indexOf(NEWLINE, bytes);
    if (end < 0) break;
    bytes = end + 1;
    count++;
  }
  return { count, bytes };
}

function linesWith(block: Buffer, text: string): string[] {
  const lines: string[] = [];
  for (let at = block.indexOf(text); at >= 0; ) {
    const lineEnd = block.indexOf(NEWLINE, at);
    const end = lineEnd < 0 ? block.length : lineEnd;
    lines.push(block.toString("utf8", block.lastIndexOf(NEWLINE, at) + 1, end));
    at = block.indexOf(text, end);
  }
  return lines;
}

function countLines(block: Buffer): number {
  let count = 0;
  for (let at = block.indexOf(NEWLINE); at >= 0; at = block.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8");
}
