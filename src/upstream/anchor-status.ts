// What the status shows of anchoring.

import { anchorsOn } from "../core/anchor/anchor-count.ts";
import { dayOf } from "../core/local-days.ts";
import type { StatusDocument } from "../core/status-schema.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { AnchorPlanContext } from "./anchor-plan.ts";

export interface AnchorStatusContext extends Pick<AnchorPlanContext, "offers"> {
  readonly accounts: readonly AccountRecord[];
  readonly settings: { readonly enabled: boolean; readonly model: string };
  /** Unix ms. */
  readonly nowMs: number;
}

/** The turns and tokens of the day; undefined if anchoring is off and there were none. */
export function anchorStatus(context: AnchorStatusContext): StatusDocument["anchor"] {
  const { accounts, settings, offers, nowMs } = context;
  const day = dayOf(nowMs);
  const counts = accounts.map(({ anchors }) => anchorsOn(anchors, day));
  const turns = counts.reduce((sum, count) => sum + count.turns, 0);
  if (!settings.enabled && turns === 0) return undefined;
  const serving = accounts.filter(({ health }) => health.kind !== "disabled");
  const isUnknown = serving.length > 0 && serving.every(({ id }) => offers(id, settings.model) === false);
  return {
    turns,
    tokens: counts.reduce((sum, count) => sum + count.tokens, 0),
    ...(settings.enabled && isUnknown ? { unknown_model: settings.model } : {}),
  };
}
