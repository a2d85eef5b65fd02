// The codes with which the proxy explains itself, in words for a person. A code without words here is shown with spaces
// in place of its hyphens.

/** The accounts of a switch and its reason, with the names and codes of `SwitchAnswer`. */
export interface SwitchSummary {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly window?: string | undefined;
  /** How many turns moved. */
  readonly count?: number | undefined;
  /** The replica on which they moved, if it is another one. */
  readonly replica?: string | undefined;
}

/** Names of the quota windows, as Codex shows them. */
export const WINDOW_LIMITS = {
  daily: "5h limit",
  weekly: "Weekly limit",
  monthly: "Monthly limit",
} as const;

const WINDOW_RESETS: Readonly<Record<keyof typeof WINDOW_LIMITS, string>> = {
  daily: "5h reset",
  weekly: "weekly reset",
  monthly: "monthly reset",
};

/** Why an account is cooling down, was disabled, or did not serve: `backend error 500`, `login expired`. */
export function reasonWords(code: string): string {
  const status = /^http-(\d{3})$/.exec(code)?.[1];
  if (status !== undefined)
    return STATUSES[status] ?? (status >= "500" ? `backend error ${status}` : `error ${status}`);
  return REASONS[code] ?? plain(code);
}

/** The name of a window as Codex writes it: `5h limit`; an unknown one stays as it is. */
export function windowLimit(window: string): string {
  return WINDOW_LIMITS[window as keyof typeof WINDOW_LIMITS] ?? window;
}

/** The reset of a window within a sentence: `5h reset`, `weekly reset`; `reset` for an unknown one. */
export function windowReset(window: string): string {
  return WINDOW_RESETS[window as keyof typeof WINDOW_LIMITS] ?? "reset";
}

/** Why the policy chose the account for the next turn: `served last`, `best score`. */
export function choiceWords(code: string): string {
  return CHOICES[code] ?? plain(code);
}

/**
 * Why a turn moved to another account, and how often: `Weekly limit`, `carol is pinned`, `5h limit (4 turns)`, on another
 * replica `5h limit (4 turns on lab)`.
 */
export function switchWords(one: SwitchSummary): string {
  return `${switchReason(one)}${repeatWords(one)}`;
}

/** The words for `reason`, or for the exhausted `window` if it is a limit: `5h limit`. */
export function limitWords(reason: string, window: string | undefined): string {
  if (window === undefined || !isLimitCode(reason)) return reasonWords(reason);
  return windowLimit(window);
}

/**
 * A switch in one line: `bob: Weekly limit → carol` if the reason is about the account that the turn left, and
 * `bob → carol: carol is pinned` if it is about the one that served it. Of several switches it ends with the number of
 * turns: `bob: Weekly limit → carol (4 turns)`. It names another replica: `bob: Weekly limit → carol (on lab)`.
 */
export function switchText(one: SwitchSummary, arrow: string): string {
  const words = Object.hasOwn(CHOICES, one.reason)
    ? `${one.from} ${arrow} ${one.to}: ${switchReason(one)}`
    : `${one.from}: ${switchReason(one)} ${arrow} ${one.to}`;
  return `${words}${repeatWords(one)}`;
}

/** True if the code means that the quota is exhausted. */
export function isLimitCode(code: string): boolean {
  return code === "usage-limit" || code === "exhausted" || code === "limited";
}

/** The codes that have words of their own. */
export function reasonCodes(): readonly string[] {
  return [...Object.keys(REASONS), ...Object.keys(CHOICES)];
}

/** True if an account that was disabled for this reason needs a new login. */
export function isLoginCode(code: string): boolean {
  return LOGIN_CODES.has(code);
}

// --- internal ---

const LOGIN_CODES: ReadonlySet<string> = new Set([
  "http-401",
  "invalid-grant",
  "missing-auth",
  "refresh-token-expired",
  "refresh-token-invalidated",
  "refresh-token-reused",
]);

const STATUSES: Readonly<Record<string, string>> = {
  "401": "login expired",
  "402": "payment required",
  "403": "access refused",
  "408": "timeout",
  "429": "too many requests",
};

const REASONS: Readonly<Record<string, string>> = {
  "auth-refresh-failed": "login could not be renewed",
  "child-host-refused": "refuses this host name",
  "child-key-refused": "refuses the key",
  exhausted: "limit reached",
  floor: "floor reached",
  full: "concurrency limit",
  "http-403-challenge": "challenge page (403)",
  "invalid-grant": "login expired",
  limited: "limit reached",
  "missing-auth": "login missing",
  "monthly-cap": "monthly cap reached",
  "monthly-cap-reserved": "monthly cap reserved by turns in flight",
  "no-monthly-cap": "no monthly cap",
  operator: "disabled by you",
  "refresh-token-expired": "login expired",
  "refresh-token-invalidated": "login expired",
  "refresh-token-reused": "login expired",
  "request-failed": "request failed",
  "unknown-spending": "its spending this month is unknown",
  "usage-limit": "limit reached",
};

const CHOICES: Readonly<Record<string, string>> = {
  affinity: "its session",
  anchor: "start of its 5h window",
  "last-resort": "last resort",
  "least-bad": "all are cooling down",
  "least-in-flight": "fewest in flight",
  pinned: "pinned",
  "reset-aware": "most left until its reset",
  "reset-stay": "served last",
  rr: "next in the rotation",
  "rr-fallback": "next in the rotation",
  "rr-stay": "the only one",
  sticky: "served last",
  "sticky-fallback": "first in the list",
  "usage-fallback": "best score",
  "usage-hysteresis": "best score",
  "usage-idle": "fewest in flight",
  "usage-stay": "served last",
};

function switchReason({ to, reason, window }: SwitchSummary): string {
  if (reason === "floor" && window !== undefined) return `${windowLimit(window)} at its floor`;
  if (reason === "pinned") return `${to} is pinned`;
  if (reason === "affinity") return "back to its account";
  return CHOICES[reason] ?? limitWords(reason, window);
}

function repeatWords({ count = 1, replica }: SwitchSummary): string {
  const parts = [
    ...(count === 1 ? [] : [`${count} turns`]),
    ...(replica === undefined ? [] : [`on ${replica}`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(" ")})`;
}

/** A reason that is already a sentence, such as a child proxy's, stays unchanged. */
function plain(code: string): string {
  return code.includes(" ") ? code : code.replaceAll("-", " ");
}
