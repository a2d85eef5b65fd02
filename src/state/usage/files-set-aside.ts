// The unusable usage databases that the proxy has set aside, apart from the code that needs SQLite.

import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface FileSetAside {
  readonly path: string;
  /** When it was set aside, Unix ms, to the second. */
  readonly atMs: number;
}

/** The path to which the database at `path` is moved at `nowMs`. */
export function pathAside(path: string, nowMs: number): string {
  return `${path}${INFIX}${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
}

/** The files that were moved away from `path`, the oldest first. A directory that cannot be read has none. */
export function filesSetAside(path: string): FileSetAside[] {
  const prefix = `${basename(path)}${INFIX}`;
  return namesIn(dirname(path))
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ path: join(dirname(path), name), atMs: timeOf(name.slice(prefix.length)) }))
    .filter(({ atMs }) => !Number.isNaN(atMs))
    .sort((a, b) => a.atMs - b.atMs);
}

// --- internal ---

const INFIX = ".unusable-";
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Unix ms; NaN for a text that `pathAside` does not write. */
function timeOf(text: string): number {
  return TIME.test(text) ? Date.parse(text.replace(TIME, "$1-$2-$3T$4:$5:$6Z")) : Number.NaN;
}
