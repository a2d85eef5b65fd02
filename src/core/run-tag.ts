// The tag of one `codexlb run`. The path of every request of the run begins with it, so that the proxy knows whether the
// run sends requests at all, and which account the run is pinned to.

export interface RunTag {
  readonly id: string;
  /** Alias or id of the account that the run is pinned to. */
  readonly account: string | undefined;
}

/** What the proxy reports to a run about the run's requests. */
export interface RunSeen {
  readonly requests: number;
  /** Requests that carry turns; over WebSocket one for each socket. */
  readonly turns: number;
  /** The threads of the last turns, the newest first: ids of Codex, at most 16. Undefined if there are none. */
  readonly threads?: readonly string[] | undefined;
  /** Why the account that the run is pinned to cannot serve now; other accounts serve instead. */
  readonly absence?: Absence | undefined;
  /** The accounts that served turns in place of the one that the run is pinned to. */
  readonly others?: readonly OtherAccount[] | undefined;
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

/** `/@ID`, or `/@ID:ACCOUNT`. */
export function runPrefix({ id, account }: RunTag): string {
  return `/@${id}${account === undefined ? "" : `:${encodeURIComponent(account.toWellFormed())}`}`;
}

/** The path without the prefix of a run, and the run that the prefix names, if there is one. */
export function withoutRun(path: string): { readonly run: RunTag | undefined; readonly path: string } {
  const [, id, account, rest] = /^\/@([0-9a-z]{8,32})(?::([^/]{1,400}))?(\/.*)$/.exec(path) ?? [];
  const named = account === undefined ? undefined : decoded(account);
  if (id === undefined || rest === undefined || (account !== undefined && named === undefined))
    return { run: undefined, path };
  return { run: { id, account: named }, path: rest };
}

// --- internal ---

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
