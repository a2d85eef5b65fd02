// Keeps the state that survives a restart: accounts with their health and quota, the active and the pinned one. It is
// in memory; `touch` marks it for saving, and it is written in the background. Nothing waits for the disk.

import { copyFileSync, linkSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { advised } from "../advice.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf, systemCodeOf } from "../errors.ts";
import { readTextIfPresent, requireFile, unusable, writeFileAtomic } from "./atomic-file.ts";
import { moved, type RootOwner } from "./root-owner.ts";
import { decodeStore } from "./store-decode.ts";
import { type EncodedAccounts, encodeStore } from "./store-encode.ts";
import type { StoreState } from "./store-state.ts";

export interface Store {
  readonly state: StoreState;
  /** Marks the state for saving; it is written within `WRITE_BEHIND_MS`. */
  touch(): void;
  /** Writes pending changes now. Throws `file_unusable`; the store then retries by itself. */
  flush(): void;
  /**
   * Writes pending changes, if the root is still this process's, and ignores all later ones, because another process
   * may own the file by then. Throws `file_unusable`.
   */
  close(): void;
}

/** The delay of a write: changes of at most this time are lost when the process is killed. */
const WRITE_BEHIND_MS = 250;
/** The delay before a failed write is retried. */
const RETRY_MS = 2_000;

export interface StoreOptions {
  readonly readOnly?: boolean;
  /** The owner of the root that contains the store; default: the caller holds the lock for the whole use. */
  readonly owner?: Pick<RootOwner, "isOurs">;
}

/**
 * Opens the store at `path`. A missing file is an empty store. A damaged file is renamed to `<path>.corrupt-<ms>` with a
 * warning, and the previous copy is used, or else an empty store (the accounts are then enrolled from their directories).
 * Throws `store_unreadable` for a store of a newer version, which stays unchanged. `upstream` returns the configured
 * backend, which is written to accounts without their own. With `readOnly`, opening does not rename a damaged file.
 */
export function openStore(
  path: string,
  upstream: () => string,
  { clock, log }: Pick<Deps, "clock" | "log">,
  { readOnly = false, owner }: StoreOptions = {},
): Store {
  const state = readStore(path, upstream(), { clock, log }, readOnly);
  let encoded: EncodedAccounts = new WeakMap();
  let encodedFor = "";
  let dirty = false;
  let isClosed = false;
  let warned = false;
  let cancel: (() => void) | undefined;

  const write = (): void => {
    cancel?.();
    cancel = undefined;
    if (!dirty || isClosed) return;
    try {
      if (owner?.isOurs() === false) throw moved(dirname(path));
      keepPrevious(path);
      const backend = upstream();
      // The text of every account that follows the setting contains the backend.
      if (encodedFor !== backend) encoded = new WeakMap();
      encodedFor = backend;
      writeFileAtomic(path, encodeStore(state, backend, clock.now(), encoded));
      dirty = false;
      warned = false;
    } catch (error) {
      cancel = clock.after(RETRY_MS, writeBehind);
      throw error;
    }
  };

  const writeBehind = (): void => {
    try {
      write();
    } catch (error) {
      if (!warned) log.warn(`${messageOf(error)}; the state stays in memory and the write is retried`);
      warned = true;
    }
  };

  return {
    state,
    touch: () => {
      if (readOnly) throw new Error("a store opened for reading was changed");
      if (isClosed) return;
      dirty = true;
      cancel ??= clock.after(WRITE_BEHIND_MS, writeBehind);
    },
    flush: write,
    close: () => {
      try {
        if (owner?.isOurs() !== false) write();
      } finally {
        isClosed = true;
        cancel?.();
      }
    },
  };
}

// --- internal ---

function readStore(
  path: string,
  upstream: string,
  { clock, log }: Pick<Deps, "clock" | "log">,
  readOnly: boolean,
): StoreState {
  const empty: StoreState = {
    accounts: [],
    activeId: undefined,
    pinnedId: undefined,
    messageCounter: 0,
    lastRotationMs: 0,
  };
  const text = readTextIfPresent(path);
  if (text === undefined) return empty;
  const decoded = decodeStore(text, upstream, clock.now());
  if (decoded.kind === "ok") return decoded.state;
  if (decoded.kind === "newer")
    throw new CodexlbError(
      "store_unreadable",
      `reading ${path}: it was written by a newer codexlb (version ${decoded.version})`,
      {
        next: "install that version, or choose another --root",
      },
    );
  const aside = `${path}.corrupt-${clock.now()}`;
  if (!readOnly) renameSync(path, aside);
  const previous = readTextIfPresent(previousPath(path));
  const restored = previous === undefined ? undefined : decodeStore(previous, upstream, clock.now());
  const source =
    restored?.kind === "ok"
      ? "the copy from before the last change"
      : "the account directories, which do not contain pins, disabled accounts and figures";
  log.warn(
    `${path} is damaged (${decoded.why}); ${readOnly ? "" : `it is kept as ${aside}, and `}the state is restored from ${source}${readOnly ? `; to repair it, run: ${advised("doctor", "--fix")}` : ""}`,
  );
  return restored?.kind === "ok" ? restored.state : empty;
}

/** Keeps the current version as the previous one. It is complete on the disk, so it needs only another name. */
function keepPrevious(path: string): void {
  const temporary = `${previousPath(path)}.tmp.${process.pid}`;
  try {
    rmSync(temporary, { force: true });
    requireFile(path);
    linkOrCopy(path, temporary);
    renameSync(temporary, previousPath(path));
  } catch (error) {
    // The first write has no previous version.
    if (systemCodeOf(error) !== "ENOENT") throw unusable(`keeping a copy of ${path}`, error);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") throw error;
    copyFileSync(from, to); // a file system without hard links
  }
}

function previousPath(path: string): string {
  return `${path}.previous`;
}
