// `codexlb status --refresh`: makes the proxy fetch new figures first, and reports the accounts for which that failed.

import { remoteStatusText } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { parseJson } from "../../core/json.ts";
import { type AccountAnswer, StatusAnswer } from "../../core/status-schema.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { waitingFor } from "../terminal/terminal.ts";

/** The longest wait for a status without new figures, ms. */
export const ANSWER_TIMEOUT_MS = 3_000;

/**
 * The status document of the proxy behind `door` as text, with new figures. Warns about each account for which there are
 * none. If they take longer than `waitMs` (default and for 0: 30 s), it warns, and resolves to the status without them.
 * Throws like `remoteStatusText`.
 */
export async function refreshedStatusText(
  door: Door,
  waitMs: number | undefined,
  { clock, log }: Pick<Deps, "clock" | "log">,
): Promise<string> {
  const startedMs = clock.monotonic();
  const timeoutMs = waitMs || REFRESH_TIMEOUT_MS;
  try {
    const asked = remoteStatusText({ ...door, timeoutMs }, true);
    const text = await waitingFor("fetching new figures", asked);
    const status = StatusAnswer.safeParse(parseJson(text)).data;
    for (const warning of status === undefined ? [] : refreshWarnings(status, clock.monotonic() - startedMs))
      log.warn(warning);
    return text;
  } catch (error) {
    const cause = error instanceof CodexlbError ? error.cause : undefined;
    if (!(cause instanceof Error) || cause.name !== "TimeoutError") throw error;
    log.warn(`the proxy did not fetch new figures within ${timeoutMs} ms; these are its last known figures`);
    return remoteStatusText({ ...door, timeoutMs: ANSWER_TIMEOUT_MS });
  }
}

/** A warning for each account whose figures are still old after a refresh that took `tookMs`. */
export function refreshWarnings(status: StatusAnswer, tookMs: number): string[] {
  const { refresh_failed: failed, accounts, proxy_name: own } = status;
  const reported = (failed ?? []).map(
    ({ alias, why }) => `the figures of ${alias} could not be refreshed: ${why}`,
  );
  // Other proxies, and older versions, do not report failures. The age of the figures shows them.
  const isOwn = ({ proxy_name: name }: AccountAnswer) => name === "" || name === own;
  const silent = accounts
    .filter((account) => failed === undefined || !isOwn(account))
    .filter((account) => newestAge(account) > FRESH_SECONDS + tookMs / 1_000)
    .map(
      (account) =>
        `the figures of ${account.alias}${isOwn(account) ? "" : ` on ${account.proxy_name}`} could not be refreshed: they are ${newestAge(account)} s old`,
    );
  const warnings = [...reported, ...silent];
  return reported.length === 0
    ? warnings
    : [...warnings, `for the causes, see: ${advised("proxy logs", "--all")}`];
}

// --- internal ---

/** The longest wait for new figures, ms. The proxy itself gives up after 15 s. */
const REFRESH_TIMEOUT_MS = 30_000;
/** A proxy does not fetch figures again that are at most 10 s old. The rest is tolerance. */
const FRESH_SECONDS = 15;

/** The age of the account's newest figure, in s; 0 if it has none, because some accounts have no limits. */
function newestAge({ figures }: AccountAnswer): number {
  return figures.length === 0 ? 0 : Math.min(...figures.map(({ age_seconds }) => age_seconds));
}
