// The limits of a key, and what it has used, in words.

import type { KeyInfo } from "../../auth/keys.ts";
import type { TagDemand } from "../../core/account-tags.ts";
import { countText, type KeyLimits } from "../../core/key-limits.ts";
import { ago, dayAndTime, shortDate, timeOfDay, until } from "../../core/time-words.ts";
import { oneLine } from "../../printable.ts";

/** `work, home`, and whether other accounts may serve. */
export function tagsText({ tags, only }: TagDemand): string {
  return `${tags.join(", ")}${only ? " (only)" : ""}`;
}

/** The limits for a person: `60/min, 5M tokens/day, gpt-6*, expires in 30 days`; empty without limits. */
export function limitsText(limits: KeyLimits | undefined, nowMs: number): string {
  const expiresMs = limits?.expiresMs;
  const expires = expiresMs === undefined ? [] : [expiryText(expiresMs, nowMs)];
  return [...plainLimits(limits), ...expires].join(", ");
}

/** The limits for scripts, with the time in UTC: `60/min, 5M tokens/day, gpt-6*, expires 2027-01-31T18:00Z`. */
export function exactLimitsText(limits: KeyLimits | undefined): string {
  const expiresMs = limits?.expiresMs;
  const expires = expiresMs === undefined ? [] : [`expires ${utcMinute(expiresMs)}`];
  return [...plainLimits(limits), ...expires].join(", ");
}

/** `2026-11-28T13:40Z`. */
export function utcMinute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`;
}

/**
 * When the key was last used, Unix ms; undefined if it never was. The proxy records only the full minute, which may have
 * begun before the key was created.
 */
export function lastUseOf({
  createdMs,
  lastUsedMs,
}: Pick<KeyInfo, "createdMs" | "lastUsedMs">): number | undefined {
  return lastUsedMs === undefined ? undefined : Math.max(createdMs, lastUsedMs);
}

/**
 * Everything about one key: for each fact its name, padded to a column, and its value. Times are those of this machine.
 */
export function keyTexts(key: KeyInfo, nowMs: number): { readonly name: string; readonly value: string }[] {
  const { role, tags, createdMs, limits, use } = key;
  const { expiresMs, turnsPerMinute, tokensPerDay, models } = limits ?? {};
  const turns = turnsPerMinute === undefined ? "no limit" : `at most ${turnsPerMinute}`;
  const tokens = tokensPerDay === undefined ? "no limit" : `at most ${countText(tokensPerDay)}`;
  const day = use === undefined ? "" : `; the day ends at ${dayAndTime(use.dayEndsMs, nowMs)}`;
  const rows: [string, string][] = [
    ["role", role],
    ["tags", tags === undefined ? "none" : tagsText(tags)],
    [
      "expires",
      expiresMs === undefined
        ? "never"
        : `${expiresMs <= nowMs ? "expired on " : ""}${shortDate(expiresMs, nowMs)} at ${timeOfDay(expiresMs)}${expiresMs <= nowMs ? "" : ` (${until(expiresMs, nowMs)})`}`,
    ],
    ["turns per minute", use === undefined ? turns : `${turns}; ${use.turnsLastMinute} in the last minute`],
    ["tokens per day", use === undefined ? tokens : `${tokens}; ${use.tokensToday} used today${day}`],
    ["models", models === undefined ? "all" : models.join(", ")],
    ["last used", ago(lastUseOf(key) ?? 0, nowMs)],
    ["created", ago(createdMs, nowMs)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => ({ name: `  ${name.padEnd(width)}  `, value: oneLine(value) }));
}

// --- internal ---

function plainLimits({ turnsPerMinute, tokensPerDay, models = [] }: KeyLimits = {}): string[] {
  return [
    ...(turnsPerMinute === undefined ? [] : [`${turnsPerMinute}/min`]),
    ...(tokensPerDay === undefined ? [] : [`${countText(tokensPerDay)} tokens/day`]),
    ...models,
  ];
}

function expiryText(expiresMs: number, nowMs: number): string {
  return expiresMs <= nowMs ? "expired" : `expires ${until(expiresMs, nowMs)}`;
}
