// The settings of the policy: `[policy]` and `[policy.weights]`.

import { z } from "zod";
import { SPEND_FLOORS } from "../core/account-options.ts";
import { POLICY_MODES } from "../core/policy.ts";
import { tagList } from "./account-settings.ts";
import { flag, NO_TEXT, share, weight } from "./setting-types.ts";

export const DEFAULT_WEIGHTS = { daily: 60, weekly: 40 };

export const POLICY = {
  mode: z
    .string({ error: NO_TEXT })
    .transform((mode) => mode.trim() || "usage_balanced")
    .pipe(
      z.enum(POLICY_MODES, {
        error: (issue) =>
          `${JSON.stringify(issue.input)} is not a policy; allowed: ${POLICY_MODES.join(", ")}`,
      }),
    )
    .default("usage_balanced")
    .meta({
      description:
        "How new sessions are placed. usage_balanced: the account with the best score (weighted quota left). sticky: one account until it cannot serve. round_robin: rotate through the accounts. least_in_flight: the account with the fewest requests in flight. reset_aware: first the quota that would expire unused.",
    }),
  delta_percent: share(10).meta({
    description:
      "usage_balanced changes the account only if another one is better by this many percentage points (reset_aware: percent).",
  }),
  affinity: flag(true).meta({
    description:
      "Keep a session on one account while that account can serve it, because its prompt cache is warm.",
  }),
  spend_floors: z
    .string({ error: NO_TEXT })
    .transform((value) => value.trim() || "last")
    .pipe(
      z.enum(SPEND_FLOORS, {
        error: (issue) =>
          `${JSON.stringify(issue.input)} is not allowed; allowed: ${SPEND_FLOORS.join(", ")}`,
      }),
    )
    .default("last")
    .meta({
      description:
        "Whether an account at its floor can still serve. last: only if no other account can. never: not until its reset.",
    }),
  tags: tagList().meta({
    description:
      "Prefer accounts with one of these tags, for requests whose run and key name no tags. Empty: no preference.",
  }),
  tags_only: flag(false).meta({
    description: "true: accounts without one of the tags above never serve such requests.",
  }),
  use_credits: flag(true).meta({
    description: "Spend credits once every account's ordinary quota is exhausted. false: never spend them.",
  }),
};

export const WEIGHTS = {
  daily: weight(DEFAULT_WEIGHTS.daily).meta({
    description: "Weight of the short (5-hour) window in an account's score.",
  }),
  weekly: weight(DEFAULT_WEIGHTS.weekly).meta({ description: "Weight of longer windows (weekly, monthly)." }),
};
