// The words with which an explanation of the next turn is shown.

import type { StateLevel } from "./account-state.ts";
import type { ScoreTerm } from "./explain.ts";
import { choiceWords, reasonWords } from "./reason-words.ts";

/**
 * The words for the tier of an explained account, and how good it is. A limit that the backend enforces has the tier of
 * disabled accounts.
 */
export function tierWords({
  tier,
  why,
}: {
  readonly tier: string;
  readonly why: string;
}): readonly [string, StateLevel] {
  const shown = tier === "out" && why.startsWith("its limit is exhausted") ? "exhausted" : tier;
  return TIERS[shown] ?? [tier, "low"];
}

/** Codes and names of settings in words, as the status has them; everything else is in words already. */
export function whyWords(why: string): string {
  return why
    .replace(/^disabled: operator$|^disabled by the operator$/, "disabled by you")
    .replace(/ by more than delta_percent/, " by enough to switch")
    .replace(/^(disabled: |cooling down after )([\w-]+)/, (_, what, code) => `${what}${reasonWords(code)}`);
}

/** What a window adds to the score: `0.60 x 0.42`; a question mark follows if the share is unknown. */
export function termText({ terms }: { readonly terms: readonly WindowTerm[] }, window: string): string {
  const term = terms.find((one) => one.window === window);
  if (term === undefined) return "-";
  return `${term.weight.toFixed(2)} x ${term.share.toFixed(2)}${term.known ? "" : "?"}`;
}

/**
 * `no account can serve (tries alice)` or `openai (last resort, after alice)`, as in the status, if the chosen account is
 * exhausted: the proxy sends it the turn because its figures may be wrong. Undefined if the chosen account has something
 * left, and if none is chosen.
 */
export function exhaustedChoice({
  chosen,
  accounts,
}: ExplainedChoice): { readonly words: string; readonly canServe: boolean } | undefined {
  const isExhausted = accounts.some(({ alias, tier }) => alias === chosen && tier === "exhausted");
  if (!isExhausted) return undefined;
  const key = accounts.find(({ tier }) => tier === "last_resort");
  return key === undefined
    ? { words: `no account can serve (tries ${chosen})`, canServe: false }
    : { words: `${key.alias} (${choiceWords("last-resort")}, after ${chosen})`, canServe: true };
}

/** What happens to a turn for which no account is chosen. */
export function unplacedWords({ accounts }: Pick<ExplainedChoice, "accounts">): string {
  return accounts.some(({ tier }) => tier === "full")
    ? "waits for a slot on a full account"
    : "no account is available";
}

/** Which account the session belongs to. */
export function bindingText(account: string | undefined, held: boolean): string {
  if (account === undefined)
    return "this proxy has served no turn of the session, so it is placed like a new one";
  return `the session is on ${account}${held ? ", and only its workspace can decrypt the history" : ""}`;
}

// --- internal ---

/** The parts of an explanation that these words need. */
interface ExplainedChoice {
  readonly chosen?: string | undefined;
  readonly accounts: readonly { readonly alias: string; readonly tier: string }[];
}

/** `ScoreTerm` as it is read: other versions may have other windows. */
type WindowTerm = Omit<ScoreTerm, "window"> & { readonly window: string };

/** The words for the tiers, which are in the JSON for compatibility, and how good they are. */
const TIERS: Readonly<Record<string, readonly [string, StateLevel]>> = {
  ready: ["ready", "good"],
  probing: ["recovering", "low"],
  credits: ["only credits", "low"],
  at_floor: ["at its floor", "low"],
  kept_back: ["at its floor", "bad"],
  exhausted: ["limit reached", "bad"],
  last_resort: ["last resort", "low"],
  resting: ["cooling down", "low"],
  full: ["full", "low"],
  out: ["out of service", "bad"],
};
