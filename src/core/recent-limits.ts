// Reads what replies and events report about limits. Under load most of them repeat a text of moments before. It is then
// given the new time instead of being read again, because reading was the most expensive part of a short turn.

import { BoundedMap, remembered } from "./bounded-map.ts";
import { parseJson } from "./json.ts";
import type { LimitQuota, QuotaEvidence } from "./quota.ts";
import { type HeaderReader, quotaFromEvent, quotaFromHeaders, REACHED_TYPE } from "./quota-wire.ts";
import { UNKNOWN_SPENDING } from "./spending.ts";
import { mapWindows } from "./windows.ts";

/** Like `quotaFromHeaders`. */
export function limitsOfHeaders(headers: HeaderReader, nowMs: number): QuotaEvidence | undefined {
  let text = "";
  headers.forEach((value, name) => {
    if (isLimitHeader(name)) text += `${name}:${value}\n`;
  });
  return recentHeaders(text, nowMs, () => ({ evidence: quotaFromHeaders(headers, nowMs) })).evidence;
}

/** The event with the text `json`, and what it reports about limits as `quotaFromEvent` reads it. */
export function limitsOfEvent(json: string, nowMs: number): LimitReading & { readonly event: unknown } {
  return recentEvents(json, nowMs, () => {
    const event = parseJson(json);
    return { event, evidence: quotaFromEvent(event, nowMs) };
  });
}

// --- internal ---

/** Short enough that nothing that was read becomes implausible. */
const SAME_MOMENT_MS = 250;
/** Three limits and the credits take about a kilobyte. */
const LONGEST_TEXT = 4_096;
const MOST_TEXTS = 64;

interface LimitReading {
  readonly evidence: QuotaEvidence | undefined;
}

/** Returns a function that reads a text. If it read the same text moments before, it only updates the time. */
function recentlyRead<Read extends LimitReading>() {
  const recent = new BoundedMap<string, { readonly atMs: number; readonly read: Read }>(MOST_TEXTS);
  return (text: string, nowMs: number, read: () => Read): Read => {
    const before = recent.get(text);
    if (before !== undefined && nowMs >= before.atMs && nowMs - before.atMs < SAME_MOMENT_MS) {
      const { evidence } = before.read;
      return evidence === undefined ? before.read : { ...before.read, evidence: dated(evidence, nowMs) };
    }
    const now = read();
    if (text.length <= LONGEST_TEXT) recent.set(text, { atMs: nowMs, read: now });
    return now;
  };
}

const recentHeaders = recentlyRead<LimitReading>();
const recentEvents = recentlyRead<LimitReading & { readonly event: unknown }>();

/** True for every header that `quotaFromHeaders` may read. */
const isLimitHeader = remembered(
  256,
  (name) =>
    /^x-.+-(?:(?:primary|secondary)-|limit-name$)|^x-codex-(?:plan-type$|credits-)/i.test(name) ||
    name.toLowerCase() === REACHED_TYPE,
);

/** Evidence from headers or an event, as if it had been read at `nowMs`. */
function dated({ planType, main, additional, spending }: QuotaEvidence, nowMs: number): QuotaEvidence {
  const limit = (read: LimitQuota): LimitQuota => ({
    ...read,
    windows: mapWindows(read.windows, (window) => ({ ...window, asOfMs: nowMs })),
    completeAsOfMs: read.completeAsOfMs === 0 ? 0 : nowMs,
  });
  const { credits, reachedType } = spending;
  return {
    planType,
    main: limit(main),
    additional: additional.map(limit),
    spending:
      spending === UNKNOWN_SPENDING
        ? spending
        : {
            ...spending,
            credits: credits && { ...credits, asOfMs: nowMs },
            reachedType: reachedType && { ...reachedType, asOfMs: nowMs },
          },
  };
}
