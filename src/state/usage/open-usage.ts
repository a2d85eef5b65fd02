// Keeps usage.db open for writing, and replaces it by a new file if it is unusable.

import type { Database } from "bun:sqlite";
import type { Deps } from "../../deps.ts";
import type { EventLog } from "../events.ts";
import { createSessionSums, type SessionSums } from "./session-sums.ts";
import { isUnusable, openUsageFile, setAside } from "./usage-file.ts";
import { createUsageWriter, type UsageWriter } from "./usage-writer.ts";

export interface OpenFile {
  readonly database: Database;
  readonly sessions: SessionSums;
  readonly writer: UsageWriter;
}

export interface OpenUsage {
  /** The file; undefined while it is not open. */
  current(): OpenFile | undefined;
  /**
   * Runs `work` on the file, which is opened or created. If the file turns out to be unusable, sets it aside and runs
   * `work` again with a new one. Throws `Error` if it cannot be opened or moved, and what `work` throws.
   */
  use<T>(work: (file: OpenFile) => T): T;
  /** Sets the unusable file aside, warns, and logs it. Throws `Error` if it cannot be moved. */
  moveAside(): void;
  close(): void;
}

export interface OpenUsageOptions {
  readonly path: string;
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly events: Pick<EventLog, "append">;
}

/** The file at `path`, which is opened when it is used. */
export function createOpenUsage({ path, deps: { clock, log }, events }: OpenUsageOptions): OpenUsage {
  let file: OpenFile | undefined;
  const opened = (): OpenFile => {
    if (file !== undefined) return file;
    const database = openUsageFile(path);
    const sessions = createSessionSums(database);
    file = { database, sessions, writer: createUsageWriter(database, sessions) };
    return file;
  };
  const close = (): void => {
    try {
      file?.writer.close();
      file?.sessions.finalize();
      file?.database.close();
    } catch {
      // A damaged file cannot always be closed in order, and is not used again.
    }
    file = undefined;
  };
  const moveAside = (): void => {
    close();
    const aside = setAside(path, clock.now());
    log.warn(`${path} is damaged or not codexlb's; moved it to ${aside}; new turns go to a new file`);
    events.append("usage.file_set_aside", { path: aside });
  };
  return {
    current: () => file,
    use: (work) => {
      try {
        return work(opened());
      } catch (error) {
        if (!isUnusable(error)) throw error;
        moveAside();
        return work(opened());
      }
    },
    moveAside,
    close,
  };
}
