// The state that survives a restart: accounts with their health and quota, the active and the pinned one.
// It lives in memory; `touch` says that it changed, and it is written behind. Nothing waits for the disk.

import { copyFileSync, renameSync } from "node:fs";
import { HEALTHY, type Health } from "../core/health.ts";
import { type Quota, UNKNOWN_QUOTA } from "../core/quota.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf, systemCodeOf } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "./atomic-file.ts";
import { decodeStore } from "./store-decode.ts";
import { encodeStore } from "./store-encode.ts";

/** One account. The fields that change are replaced, never mutated in depth. */
export interface AccountRecord {
  /** `openai:` + lower-case alias. */
  readonly id: string;
  readonly alias: string;
  /** The account's CODEX_HOME, absolute. */
  readonly homeDir: string;
  /** A backend of its own; undefined means the configured one. */
  readonly ownBaseUrl: string | undefined;
  chatgptAccountId: string | undefined;
  chatgptUserId: string | undefined;
  email: string | undefined;
  health: Health;
  quota: Quota;
  /** Unix ms, 0 when never. */
  lastUsedMs: number;
  lastSwitchReason: string | undefined;
  /** When the usage endpoint was last asked with success, Unix ms, and the message counter then. */
  quotaSyncMs: number;
  quotaSyncMessages: number;
}

export interface StoreState {
  accounts: AccountRecord[];
  /** The account that served last. */
  activeId: string | undefined;
  pinnedId: string | undefined;
  /** Turns sent so far. */
  messageCounter: number;
  /** When the active account last changed, Unix ms. */
  lastRotationMs: number;
}

export interface Store {
  readonly state: StoreState;
  /** The state changed: write it within `WRITE_BEHIND_MS`. */
  touch(): void;
  /** Writes now what is not written yet. Throws what the system says. */
  flush(): void;
}

/** The most that a killed process may lose. */
const WRITE_BEHIND_MS = 250;

/** A fresh account; everything about its health and quota is still unknown. */
export function newAccount(alias: string, homeDir: string): AccountRecord {
  return {
    id: accountId(alias),
    alias,
    homeDir,
    ownBaseUrl: undefined,
    chatgptAccountId: undefined,
    chatgptUserId: undefined,
    email: undefined,
    health: HEALTHY,
    quota: UNKNOWN_QUOTA,
    lastUsedMs: 0,
    lastSwitchReason: undefined,
    quotaSyncMs: 0,
    quotaSyncMessages: 0,
  };
}

export function accountId(alias: string): string {
  return `openai:${alias.toLowerCase()}`;
}

/**
 * Opens the store at `path`. A missing file is an empty store. An unreadable one is set aside as
 * `<path>.corrupt-<ms>` with a warning, and the previous good copy is taken, else an empty one (the accounts come
 * back from their directories). Throws `store_unreadable` for a store of a newer version, which stays untouched.
 * `upstream` is the configured backend, written to accounts that have none of their own. Opening writes nothing
 * but the setting aside, and not even that when `readOnly`.
 */
export function openStore(
  path: string,
  upstream: string,
  { clock, log }: Pick<Deps, "clock" | "log">,
  { readOnly = false }: { readOnly?: boolean } = {},
): Store {
  const state = readStore(path, upstream, { clock, log }, readOnly);
  let cancel: (() => void) | undefined;
  const flush = () => {
    if (cancel === undefined) return;
    cancel();
    cancel = undefined;
    keepPrevious(path);
    writeFileAtomic(path, encodeStore(state, upstream, clock.now()));
  };
  return {
    state,
    touch: () => {
      if (readOnly) throw new Error("a store opened for reading was changed");
      cancel ??= clock.after(WRITE_BEHIND_MS, () => {
        try {
          flush();
        } catch (error) {
          log.warn(
            `writing ${path}: ${messageOf(error)}; the state is kept in memory and written with the next change`,
          );
        }
      });
    },
    flush,
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
  const decoded = decodeStore(text, upstream);
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
  const restored = previous === undefined ? undefined : decodeStore(previous, upstream);
  const source = restored?.kind === "ok" ? "the previous copy" : "the account directories";
  log.warn(
    `${path} is damaged (${decoded.why}); ${readOnly ? "" : `it is kept as ${aside}, and `}the state is taken from ${source}`,
  );
  return restored?.kind === "ok" ? restored.state : empty;
}

function keepPrevious(path: string): void {
  const temporary = `${previousPath(path)}.tmp.${process.pid}`;
  try {
    copyFileSync(path, temporary);
    renameSync(temporary, previousPath(path));
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error; // the first write has no previous version
  }
}

function previousPath(path: string): string {
  return `${path}.previous`;
}
