// The last switches, failures and changes of one account in words.

import type { AccountDetails } from "../../auth/account-details.ts";
import { eventText } from "../../core/event-words.ts";
import { switchText } from "../../core/reason-words.ts";
import { ago } from "../../core/time-words.ts";
import { shortLine } from "../../printable.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import type { SectionText } from "./account-section.ts";

/** A text for each event, latest first: `5 min ago   `, then `cooling down for 2 min (backend error 503)`. */
export function historyTexts(
  { switches, events }: AccountDetails,
  { glyphs }: TextStyle,
  nowMs: number,
): SectionText[] {
  const moves = switches.map((one) => ({
    atMs: one.at_ms,
    firstMs: one.first_at_ms ?? one.at_ms,
    text: switchText(one, glyphs.arrow),
  }));
  // The proxy knows the last switches, and the events contain them too.
  const since = Math.min(...moves.map(({ firstMs }) => firstMs), Number.POSITIVE_INFINITY);
  const others = events
    .map((event) => ({
      atMs: Date.parse(event.ts),
      text: eventText(event, glyphs.arrow),
      event: event.event,
    }))
    .filter(({ event, atMs }) => event !== "request.switched" || atMs < since);
  return [...moves, ...others]
    .filter(({ atMs }) => !Number.isNaN(atMs))
    .sort((a, b) => b.atMs - a.atMs)
    .slice(0, MOST)
    .map(({ atMs, text }) => ({
      first: `${exactAgo(atMs, nowMs).padEnd(TIME_WIDTH)}  `,
      text: shortLine(text),
    }));
}

// --- internal ---

const MOST = 10;
const TIME_WIDTH = "59 min ago".length;
const MINUTE_MS = 60_000;

/** Like `ago`, with the seconds, because the events of a failover are seconds apart. */
function exactAgo(atMs: number, nowMs: number): string {
  const passed = Math.max(0, nowMs - atMs);
  return passed < MINUTE_MS ? `${Math.round(passed / 1000)} s ago` : ago(atMs, nowMs);
}
