// What replicas share about an account: its name, its health and its figures, as values of signals.

import { type Health, MISSING_AUTH, OPERATOR_REASON, UNKNOWN_SPENDING } from "../core/health.ts";
import { believable, newestFigureMs, type Quota } from "../core/quota.ts";
import { presentOf } from "../core/windows.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { decodeFigures } from "../state/store-decode.ts";
import { encodeFigures } from "../state/store-encode.ts";
import type { FiguresFile } from "../state/store-shapes.ts";
import type { SharedHealth } from "./signal-kinds.ts";

/** The name of an account in signals. If its alias is given to another account, the name changes. */
export function nameOf({ id, chatgptAccountId, chatgptUserId }: AccountRecord): string {
  return JSON.stringify([id, chatgptAccountId, chatgptUserId]);
}

/** True if the health concerns the other replicas. */
export function isShared(health: Health): boolean {
  return health.kind !== "disabled" || !OWN_REASONS.has(health.reason);
}

/** The health of an account as the others can use it. `login`: the mark of the login in use. */
export function sharedHealth(health: Health, login: string | undefined): SharedHealth {
  switch (health.kind) {
    case "healthy":
      return { kind: "healthy", isEnabled: false };
    case "cooling": {
      const { cause, reason, sinceMs, untilMs } = health;
      return { kind: "cooling", cause, reason, sinceMs, untilMs };
    }
    case "disabled":
      return { kind: "disabled", reason: health.reason, login };
    default:
      return health satisfies never;
  }
}

/** The figures of an account as the others can use them. */
export function figuresOf(quota: Quota): FiguresFile {
  // The text drops what is undefined, as the schema of the others expects.
  return JSON.parse(JSON.stringify(encodeFigures(quota)));
}

/** The figures as evidence about the account. A complete list that is already known says nothing about later turns. */
export function evidenceFor({ quota }: AccountRecord, value: FiguresFile, nowMs: number): Quota {
  const evidence = believable(decodeFigures(value), nowMs);
  const isNewList = evidence.main.completeAsOfMs > quota.main.completeAsOfMs;
  return isNewList ? evidence : { ...evidence, main: { ...evidence.main, completeAsOfMs: 0 } };
}

/** How many windows are exhausted, and how many limits refuse requests. */
export function exhaustedCount({ main, additional }: Quota): number {
  return [main, ...additional].reduce((sum, { windows, refusal }) => {
    const exhausted = presentOf(windows).filter(({ usedPercent }) => usedPercent >= 100);
    return sum + exhausted.length + (refusal === undefined ? 0 : 1);
  }, 0);
}

/** When the newest of the figures was taken, Unix ms; 0 if there is none. */
export function newestMs({ main, additional, spending }: Quota): number {
  const limits = [main, ...additional];
  const parts = Object.values(spending) as readonly ({ readonly asOfMs: number } | undefined)[];
  return Math.max(
    ...limits.map(newestFigureMs),
    ...limits.map(({ refusal }) => refusal?.sinceMs ?? 0),
    ...parts.map((part) => part?.asOfMs ?? 0),
  );
}

// --- internal ---

/** Reasons that concern this replica only, or that replicas share as facts. */
const OWN_REASONS: ReadonlySet<string> = new Set([OPERATOR_REASON, MISSING_AUTH, UNKNOWN_SPENDING]);
