// Anchoring in words for a person.

import { counted } from "../count-words.ts";
import type { StatusAnswer } from "../status-schema.ts";

/** `anchored today: 3 turns, 1,240 tokens`; undefined if anchoring is off and there were no turns. */
export function anchoredWords({ anchor }: Pick<StatusAnswer, "anchor">): string | undefined {
  if (anchor === undefined) return undefined;
  const tokens = anchor.turns === 0 ? "" : `, ${anchor.tokens.toLocaleString("en-US")} tokens`;
  return `anchored today: ${counted(anchor.turns, "turn")}${tokens}`;
}
