// Limits on what codexlb believes from other parties: a backend, a child proxy, a file that another program wrote.

/** No window or limit is longer; the longest known ones last a month. */
const LONGEST_MS = 400 * 24 * 3_600_000;

/** Most limits of models or features that are kept; real accounts have two or three. */
export const MOST_LIMITS = 32;
/** Longest id or name of a limit, in characters. */
export const LONGEST_NAME = 100;

/** `ms` if it is a plausible Unix time for something to end, otherwise undefined. */
export function believableEnd(ms: number, nowMs: number): number | undefined {
  return ms > 0 && ms <= nowMs + LONGEST_MS ? ms : undefined;
}

/** `ms` if it is a plausible duration, otherwise undefined. */
export function believableLength(ms: number): number | undefined {
  return ms > 0 && ms <= LONGEST_MS ? ms : undefined;
}

/** `text` in a form that can be stored and sent: at most `most` characters, with no half surrogate pair. */
export function shortText(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

/** `text` if every client can read it as a header value (RFC 9110, 5.5: visible ASCII), otherwise undefined. */
export function headerValue(text: string): string | undefined {
  return /^[!-~](?:[ -~]{0,254}[!-~])?$/.test(text) ? text : undefined;
}
