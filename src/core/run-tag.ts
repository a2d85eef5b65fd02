// The tag of one `codexlb run`. The path of every request of the run begins with it, so that the proxy knows whether the
// run sends requests at all, and which accounts the run has chosen.

import type { OutageCause } from "./account-state.ts";
import type { TagDemand } from "./account-tags.ts";
import type { FirstBack } from "./outage.ts";
import { LONGEST_WAIT_MS } from "./wait-bound.ts";

export interface RunTag {
  readonly id: string;
  /** Alias or id of the account that the run is pinned to. */
  readonly account: string | undefined;
  /** The tags of accounts that the run prefers, or requires. */
  readonly tags?: TagDemand | undefined;
  /** How long a turn of the run may wait for a reset, in whole seconds. Default: as long as the proxy's settings say. */
  readonly waitSeconds?: number | undefined;
}

/** What the proxy reports to a run about the run's requests. */
export interface RunSeen {
  readonly requests: number;
  /** Requests that carry turns; over WebSocket one for each socket. */
  readonly turns: number;
  /** The threads of the last turns, the newest first: Codex's ids, at most 16. Undefined if there are none. */
  readonly threads?: readonly string[] | undefined;
  /** Why the account that the run is pinned to cannot serve now; other accounts serve instead. */
  readonly absence?: Absence | undefined;
  /** The accounts that served turns in place of the one that the run is pinned to. */
  readonly others?: readonly OtherAccount[] | undefined;
  /** How many accounts have one of the run's tags. */
  readonly tagged?: number | undefined;
  /** Why no account can serve the run now; undefined if one can. */
  readonly outage?: RunOutage | undefined;
  /** The run's turns that wait for a reset; undefined if neither the run nor the proxy's settings let turns wait. */
  readonly waiting?: WaitingSummary | undefined;
}

/** Turns that wait for a reset. */
export interface WaitingSummary {
  readonly turns: number;
  /** The turns of the run that an account serves now, after they have waited; absent without any. */
  readonly resumed?: number | undefined;
  /** The earliest reset that one of them waits for, Unix ms; undefined without turns. */
  readonly untilMs?: number | undefined;
  /** The account or child proxy with that reset; undefined for a client that must not learn which accounts exist. */
  readonly account?: string | undefined;
  /** The window that is then reset: `daily`, `weekly` or `monthly`; undefined if it is unknown. */
  readonly window?: string | undefined;
}

/** An outage of the accounts that may serve a run. */
export interface RunOutage {
  /** Why each account cannot serve; undefined for a client that must not learn which accounts exist. */
  readonly causes?: readonly OutageCause[] | undefined;
  /** The account that is back first; undefined if none is back by itself, or without `causes`. */
  readonly first?: FirstBack | undefined;
  /** An account must have one tag of each list; undefined if any account may serve, or without `causes`. */
  readonly tags?: readonly (readonly string[])[] | undefined;
}

/** Why an account takes no turns: its quota or its limit, a failure that passes, or anything else. */
export type Absence = "exhausted" | "limited" | "resting" | "out";

/** An account that served turns of a run that is pinned to another one. */
export interface OtherAccount {
  readonly alias: string;
  readonly turns: number;
  /** Why the account of the run could not serve the last of these turns; undefined if it could again afterwards. */
  readonly absence?: Absence | undefined;
}

/** The form of the ids of Codex's threads. */
export const THREAD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The path behind a run's prefix that returns its `RunSeen`. A POST also reports that Codex bypassed the proxy. */
export const RUN_PATH = "/run";

/** `/@ID`, `/@ID:ACCOUNT`, `/@ID;tags=TAG,TAG`, or `/@ID;only=TAG,TAG`, each of them with or without `;wait=SECONDS`. */
export function runPrefix({ id, account, tags, waitSeconds }: RunTag): string {
  const pin = account === undefined ? "" : `:${encodeURIComponent(account.toWellFormed())}`;
  const demand = tags === undefined ? "" : `;${tags.only ? "only" : "tags"}=${tags.tags.join(",")}`;
  const wait = waitSeconds === undefined ? "" : `;wait=${waitSeconds}`;
  return `/@${id}${pin}${demand}${wait}`;
}

/** The path without the prefix of a run, and the run that the prefix names, if there is one. */
export function withoutRun(path: string): { readonly run: RunTag | undefined; readonly path: string } {
  const [, id, account, form, list, wait, rest] = PREFIX.exec(path) ?? [];
  const named = account === undefined ? undefined : decoded(account);
  if (id === undefined || rest === undefined || (account !== undefined && named === undefined))
    return { run: undefined, path };
  const tags = form === undefined ? undefined : { tags: list?.split(",") ?? [], only: form === "only" };
  const run = {
    id,
    account: named,
    ...(tags === undefined ? {} : { tags }),
    ...(wait === undefined ? {} : { waitSeconds: Math.min(Number(wait), LONGEST_WAIT_MS / 1000) }),
  };
  return { run, path: rest };
}

// --- internal ---

/** The names of tags need no escapes (`tagsProblem`), and those of accounts have them. */
const PREFIX =
  /^\/@([0-9a-z]{8,32})(?::([^/;]{1,400}))?(?:;(tags|only)=([a-z0-9._-]{1,32}(?:,[a-z0-9._-]{1,32}){0,15}))?(?:;wait=(\d{1,7}))?(\/.*)$/;

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
