// How much is believed of what another party says: a backend, a child proxy, a file that somebody else has written.

/** No window and no limit is longer; the longest that are known last a month. */
const LONGEST_MS = 400 * 24 * 3_600_000;

/** A limit of a model or a feature; accounts have two or three of them. */
export const MOST_LIMITS = 32;
/** Characters of a limit's id or name. */
export const LONGEST_NAME = 100;

/** `ms`, a Unix time at which something is to end; undefined when it cannot be one. */
export function believableEnd(ms: number, nowMs: number): number | undefined {
  return ms > 0 && ms <= nowMs + LONGEST_MS ? ms : undefined;
}

/** `ms`, a length of time; undefined when it cannot be one. */
export function believableLength(ms: number): number | undefined {
  return ms > 0 && ms <= LONGEST_MS ? ms : undefined;
}

/** `text` as it can be kept and passed on: at most `most` characters, without half of a surrogate pair. */
export function shortText(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

/** `text` when it can be the value of an HTTP header that every client reads (RFC 9110, 5.5: visible ASCII), else undefined. */
export function headerValue(text: string): string | undefined {
  return /^[!-~](?:[ -~]{0,254}[!-~])?$/.test(text) ? text : undefined;
}
