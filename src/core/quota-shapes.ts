// The shapes in which the backend reports quota. A field that cannot be read counts as absent, and does not affect the
// others.

import { z } from "zod";

const maybeName = z
  .string()
  .nullish()
  .catch(undefined)
  .transform((name) => name ?? undefined);

/** A field that is not a number counts as absent and does not affect the other fields. */
const figure = z.number().optional().catch(undefined);

export const Window = z.looseObject({
  used_percent: figure,
  used: figure,
  limit: figure,
  limit_window_seconds: figure,
  window_minutes: figure,
  reset_at: figure,
  resets_at: figure,
  reset_after_seconds: figure,
});
export type Window = z.infer<typeof Window>;

/** A window on the wire: `none` if the backend reports that it does not exist, undefined if it is unreadable. */
export type Slot = Window | "none" | undefined;

const slot = Window.nullish()
  .transform((window): Slot => (window === null || window === undefined || isEmpty(window) ? "none" : window))
  .catch(undefined);

/** The two windows of a limit; undefined if nothing is known about them. */
export type Slots = { readonly primary: Slot; readonly secondary: Slot } | undefined;

const maybeFlag = z.boolean().nullish().catch(undefined);
/** A number, or a number as text. */
const amount = z
  .union([z.number(), z.string().transform(Number)])
  .nullish()
  .catch(undefined)
  .transform((value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined));

export const CreditsBody = z
  .looseObject({
    has_credits: maybeFlag,
    unlimited: maybeFlag,
    overage_limit_reached: maybeFlag,
    balance: amount,
  })
  .nullish()
  .catch(undefined);
export type CreditsBody = z.output<typeof CreditsBody>;

const IndividualBody = z
  .looseObject({ remaining_percent: amount, used_percent: amount, reset_at: amount, resets_at: amount })
  .nullish()
  .catch(undefined);

const RateLimit = z.looseObject({ primary_window: slot, secondary_window: slot });

export const UsageBody = z.looseObject({
  plan_type: z.string(),
  rate_limit: RateLimit.nullish().catch(undefined),
  additional_rate_limits: z
    .array(
      z.looseObject({
        limit_name: maybeName,
        metered_feature: maybeName,
        normal_model_slug: maybeName,
        rate_limit: RateLimit.nullish().catch(undefined),
      }),
    )
    .nullish()
    .catch(undefined)
    .transform((list) => list ?? []),
  credits: CreditsBody,
  spend_control: z
    .looseObject({ reached: maybeFlag, individual_limit: IndividualBody })
    .nullish()
    .catch(undefined),
  rate_limit_reached_type: z
    .union([z.string(), z.looseObject({ type: z.string() }).transform(({ type }) => type)])
    .nullish()
    .catch(undefined),
});
export type UsageBody = z.output<typeof UsageBody>;

export const RateLimitsEvent = z.looseObject({
  type: z.literal("codex.rate_limits"),
  plan_type: maybeName,
  metered_limit_name: maybeName,
  limit_name: maybeName,
  normal_model_slug: maybeName,
  rate_limits: z.looseObject({ primary: slot, secondary: slot }),
  credits: CreditsBody,
});

export const Limits = z.looseObject({
  limit_id: maybeName,
  limit_name: maybeName,
  normal_model_slug: maybeName,
  plan_type: maybeName,
  primary: slot,
  secondary: slot,
  credits: CreditsBody,
});

export const TokenCount = z.looseObject({ type: z.literal("token_count"), rate_limits: Limits });
export const EventMessage = z.looseObject({ type: z.literal("event_msg"), payload: TokenCount });

/** A window with zero use, length and reset does not exist. The backend writes it like that, and Codex agrees. */
export function isEmpty({ used_percent, limit_window_seconds, window_minutes, ...window }: Window): boolean {
  const isNothing = (value: number | undefined) => value === undefined || value === 0;
  return (
    used_percent === 0 &&
    isNothing(limit_window_seconds) &&
    isNothing(window_minutes) &&
    isNothing(window.reset_at ?? window.resets_at) &&
    isNothing(window.reset_after_seconds)
  );
}
