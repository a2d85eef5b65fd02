// Which accounts a request prefers or requires, by their tags. Pure.

import type { AccountOptions } from "./account-options.ts";

/** Tags that a run, a key or the settings name. An account with one of them is enough. */
export interface TagDemand {
  readonly tags: readonly string[];
  /** True: accounts without such a tag never serve. False: they serve while no account with such a tag can. */
  readonly only: boolean;
}

/** The tags that decide about one request. */
export interface TagNeeds {
  /** An account must have one tag of each list. */
  readonly required: readonly (readonly string[])[];
  /** Accounts with one of these tags come first; empty: no account does. */
  readonly preferred: readonly string[];
}

/** The needs of a request for which no tags are named. */
export const NO_TAGS: TagNeeds = { required: [], preferred: [] };

/**
 * The needs of a request: `own` are the demands of its run and its key, the run's first. Every strict one of them counts,
 * and the first one is preferred. `policy`, the demand in the settings, counts for requests without any.
 */
export function tagNeedsOf(own: readonly TagDemand[], policy: TagDemand | undefined): TagNeeds {
  const demands = own.length === 0 && policy !== undefined ? [policy] : own;
  const [first] = demands;
  if (first === undefined) return NO_TAGS;
  return { required: demands.filter(({ only }) => only).map(({ tags }) => tags), preferred: first.tags };
}

/** True if `options` has one of `tags`. */
export function hasTag({ tags: own }: Pick<AccountOptions, "tags">, tags: readonly string[]): boolean {
  return tags.some((tag) => own.includes(tag));
}

/** True if an account with `options` may serve a request with these needs. */
export function allowsTags(options: Pick<AccountOptions, "tags">, { required }: TagNeeds): boolean {
  return required.every((tags) => hasTag(options, tags));
}

/** Required tags in words: `work or home`, with several lists `work, and home`; empty if none are required. */
export function requiredTagWords(required: TagNeeds["required"]): string {
  return required.map((tags) => tags.join(" or ")).join(", and ");
}
