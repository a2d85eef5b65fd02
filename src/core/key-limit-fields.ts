// The limits of a key, and what it has used, as JSON has them: in the admin API, and in the output of `codexlb key`.

import { z } from "zod";
import type { KeyLimitChanges, KeyLimits, KeyUse } from "./key-limits.ts";

/** Limits to set; null removes one, and an absent one stays as it is. */
export const KeyLimitFields = z.object({
  expires_at_ms: z.number({ error: "must be a number" }).nullish(),
  rpm: z.number({ error: "must be a number" }).nullish(),
  tokens_per_day: z.number({ error: "must be a number" }).nullish(),
  models: z.array(z.string({ error: "must be a string" }), { error: "must be a list" }).nullish(),
});
export type KeyLimitFields = z.output<typeof KeyLimitFields>;

/** What a key has used, in the answer of a proxy. */
export const KeyUseFields = z.object({
  turns_last_minute: z.number(),
  tokens_today: z.number(),
  day_ends_at_ms: z.number(),
});

export function limitChangesOf({
  expires_at_ms,
  rpm,
  tokens_per_day,
  models,
}: KeyLimitFields): KeyLimitChanges {
  return { expiresMs: expires_at_ms, turnsPerMinute: rpm, tokensPerDay: tokens_per_day, models };
}

export function limitFields({
  expiresMs,
  turnsPerMinute,
  tokensPerDay,
  models,
}: KeyLimitChanges): KeyLimitFields {
  return {
    expires_at_ms: expiresMs,
    rpm: turnsPerMinute,
    tokens_per_day: tokensPerDay,
    models: models && [...models],
  };
}

/** The fields of a key with limits; none for a key without. */
export function keyFields({
  limits,
  use,
}: {
  readonly limits?: KeyLimits | undefined;
  readonly use?: KeyUse | undefined;
}): KeyLimitFields & { readonly use?: z.output<typeof KeyUseFields> } {
  return {
    ...(limits && limitFields(limits)),
    ...(use && {
      use: {
        turns_last_minute: use.turnsLastMinute,
        tokens_today: use.tokensToday,
        day_ends_at_ms: use.dayEndsMs,
      },
    }),
  };
}
