// The limits of one account in words.

import { limitWindows, type ShownWindow } from "../../core/limit-windows.ts";
import { WINDOW_LIMITS } from "../../core/reason-words.ts";
import { resetCreditTexts } from "../../core/reset-credit-words.ts";
import type { AccountAnswer } from "../../core/status-schema.ts";
import { creditsText, spentWords } from "../../core/status-words.ts";
import { backWords } from "../../core/time-words.ts";
import { WINDOW_KINDS } from "../../core/windows.ts";
import { shortLine } from "../../printable.ts";
import { windowCell } from "../status/window-cell.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import type { SectionText } from "./account-section.ts";

/** A text for each limit: `5h limit      `, then `42% left, resets 05:41 (in 4 h)`. */
export function limitTexts(account: AccountAnswer, style: TextStyle, nowMs: number): SectionText[] {
  const own = FIELDS.filter((name) => account.windows?.includes(name) ?? name !== "monthly").map(
    (name): Limit => ({
      name: WINDOW_LIMITS[name],
      window: { leftPct: account[`${name}_left_pct`], resetAt: account[`${name}_reset_at`] },
      isOld: account.figures.some((figure) => figure.window === name && figure.outdated),
    }),
  );
  const others = (account.additional_limits ?? []).flatMap((limit) =>
    WINDOW_KINDS.flatMap((kind, index): Limit[] => {
      const window = limitWindows(limit)[kind];
      if (window === undefined) return [];
      const name = `${limit.limit_name || limit.limit_id} ${WINDOW_LIMITS[FIELDS[index] ?? "daily"]}`;
      return [{ name: shortLine(name), window, isOld: false }];
    }),
  );
  const { individual_limit: member, spend_control_reached: isSpent } = account;
  const limits: readonly Limit[] = [
    ...own,
    ...others,
    ...(member === undefined
      ? []
      : [
          {
            name: "Member limit",
            window: { leftPct: member.left_pct, resetAt: member.reset_at },
            isOld: false,
          },
        ]),
  ];
  const width = Math.max(0, ...limits.map(({ name }) => Bun.stringWidth(name)));
  return [
    ...limits.map(({ name, window, isOld }) => {
      const gap = " ".repeat(width - Bun.stringWidth(name));
      return {
        first: `${name}${gap}  `,
        text: `${leftText(window, style, nowMs)}${isOld ? " (old figure)" : ""}`,
      };
    }),
    ...(account.credits?.has_credits ? [{ text: `credits: ${creditsText(account)}` }] : []),
    ...resetCreditTexts(account, nowMs).map((text) => ({ text })),
    ...(account.api_key === undefined ? [] : [{ text: spentWords(account.api_key) }]),
    ...(isSpent ? [{ text: "the workspace has reached the spend limit set by its owner" }] : []),
  ];
}

// --- internal ---

interface Limit {
  readonly name: string;
  readonly window: ShownWindow;
  /** True if the figure is too old to count. */
  readonly isOld: boolean;
}

/** The windows in the order of `WINDOW_KINDS`, by the names of the status document. */
const FIELDS = ["daily", "weekly", "monthly"] as const;

function leftText(window: ShownWindow, style: TextStyle, nowMs: number): string {
  if (window.leftPct < 0) return "unknown";
  const left = `${windowCell(window, { bar: 0, hasReset: false }, style, nowMs)} left`;
  if (window.resetAt * 1000 <= nowMs) return left;
  return `${left}, resets ${backWords(window.resetAt * 1000, nowMs)[0].replace(/^back (?:at )?/, "")}`;
}
