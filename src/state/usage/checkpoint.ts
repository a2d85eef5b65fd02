// Moves SQLite's log into the database once it has grown. The log is first written to the disk in the background, so that
// the checkpoint need not wait for that, and takes about a millisecond.

import { closeSync, fdatasync, openSync } from "node:fs";
import { promisify } from "node:util";
import type { UsageWriter } from "./usage-writer.ts";

export interface CheckpointOptions {
  /** The path of the database. */
  readonly path: string;
  /** The writer of the open file; undefined if no file is open. */
  readonly writer: () => Pick<UsageWriter, "pagesInLog" | "checkpoint"> | undefined;
  readonly failed: (error: unknown) => void;
}

/** Returns a function that begins a checkpoint if the log is long enough and none is in progress. It never rejects. */
export function createCheckpoints({ path, writer, failed }: CheckpointOptions): () => Promise<void> {
  let isSyncing = false;
  return async () => {
    if (isSyncing || (writer()?.pagesInLog() ?? 0) < CHECKPOINT_PAGES) return;
    isSyncing = true;
    try {
      await syncLog(path);
      writer()?.checkpoint();
    } catch (error) {
      failed(error);
    } finally {
      isSyncing = false;
    }
  };
}

// --- internal ---

/** A checkpoint of one MiB takes about a millisecond. */
const CHECKPOINT_PAGES = 256;

const dataSync = promisify(fdatasync);

async function syncLog(path: string): Promise<void> {
  const log = openSync(`${path}-wal`, "r");
  try {
    await dataSync(log);
  } finally {
    closeSync(log);
  }
}
