// The reset credits of an account: saved resets of its limits. Each can be spent once, until it expires.

import { z } from "zod";
import { believableEnd, shortText } from "./bounds.ts";
import { objectOf } from "./json.ts";

/** One credit that can be spent. */
export interface ResetCredit {
  readonly id: string;
  /** Unix ms. */
  readonly grantedAtMs: number;
  /** Unix ms; undefined if it does not expire. */
  readonly expiresAtMs: number | undefined;
  /** What it resets, in the backend's words: `Full reset (Weekly + 5 hr)`. */
  readonly title: string | undefined;
}

/** What the backend last reported. */
export interface ResetCredits {
  /** How many can be spent. */
  readonly count: number;
  /** The soonest to expire first; undefined if the backend reported only their number. */
  readonly credits: readonly ResetCredit[] | undefined;
  /** When the backend reported the number, Unix ms. */
  readonly asOfMs: number;
}

/** The number of credits in a response of `GET …/wham/usage`; undefined if it does not contain it. */
export function resetCountIn(usage: unknown): number | undefined {
  return Summary.safeParse(objectOf(usage)?.rate_limit_reset_credits).data?.available_count;
}

/** Reads a response of `GET …/wham/rate-limit-reset-credits` at `nowMs`; undefined if it is not such a response. */
export function resetCreditsIn(body: unknown, nowMs: number): ResetCredits | undefined {
  const parsed = List.safeParse(body);
  if (!parsed.success) return undefined;
  const credits = parsed.data.credits
    .slice(0, MOST_CREDITS)
    .flatMap((one): ResetCredit[] => {
      const credit = Credit.safeParse(one).data;
      // Like Codex, does not offer credits of a type or status that a later backend adds.
      if (credit?.reset_type !== "codex_rate_limits" || credit.status !== "available") return [];
      const expiresAtMs = credit.expires_at == null ? undefined : Date.parse(credit.expires_at);
      if (expiresAtMs !== undefined && believableEnd(expiresAtMs, nowMs) === undefined) return [];
      const title = credit.title?.trim();
      return [
        {
          id: credit.id,
          grantedAtMs: Math.min(nowMs, Date.parse(credit.granted_at) || nowMs),
          expiresAtMs,
          title: title ? shortText(title, LONGEST_TITLE) : undefined,
        },
      ];
    })
    .sort((a, b) => expiryOf(a) - expiryOf(b));
  return { count: parsed.data.available_count, credits, asOfMs: nowMs };
}

/** `known` at `nowMs`: without the credits that have expired since. */
export function resetCreditsAt(known: ResetCredits, nowMs: number): ResetCredits {
  const credits = known.credits?.filter((credit) => expiryOf(credit) > nowMs);
  const expired = (known.credits?.length ?? 0) - (credits?.length ?? 0);
  return expired === 0 ? known : { ...known, count: Math.max(0, known.count - expired), credits };
}

/** When the first of the credits expires, Unix ms; undefined if that is unknown, or none expires. */
export function firstExpiryMs({ credits }: Pick<ResetCredits, "credits">): number | undefined {
  return credits?.[0]?.expiresAtMs;
}

// --- internal ---

/** Far more than an account has: the most that were seen are four. */
const MOST_CREDITS = 50;
const LONGEST_ID = 200;
const LONGEST_TITLE = 100;

const count = z.number().int().min(0).max(1_000_000);
const Summary = z.looseObject({ available_count: count });
const List = z.looseObject({ available_count: count, credits: z.array(z.unknown()) });
const Credit = z.looseObject({
  id: z.string().min(1).max(LONGEST_ID),
  reset_type: z.string(),
  status: z.string(),
  granted_at: z.string(),
  expires_at: z.string().nullish(),
  title: z.string().nullish().catch(undefined),
});

function expiryOf({ expiresAtMs }: ResetCredit): number {
  return expiresAtMs ?? Number.POSITIVE_INFINITY;
}
