// Picks the limit of an account that counts for a model: the model's own limit if the account has one, else the main
// limit.

import { type LimitQuota, MAIN_LIMIT_ID, type Quota } from "./quota.ts";

/**
 * Returns the id of the limit that the backend named when it refused a request for `model`; undefined if it has not
 * refused any.
 */
export type RefusedBy = (model: string) => string | undefined;

/**
 * The limit of `quota` that counts for `model` (undefined: for any model). The first match wins: the limit that the
 * backend named when it refused the model; the limit with the model's name; the limit with this normal model; the main
 * limit.
 */
export function limitFor(quota: Quota, model: string | undefined, refusedBy: RefusedBy): LimitQuota {
  const { main, additional } = quota;
  if (model === undefined || additional.length === 0) return main;
  const id = refusedBy(model);
  if (id === MAIN_LIMIT_ID) return main;
  const slug = slugOf(model);
  return (
    additional.find((limit) => limit.id === id) ??
    additional.find(({ id: meter, name }) => slugOf(name ?? "") === slug || slugOf(meter) === slug) ??
    additional.find((limit) => limit.model !== undefined && slugOf(limit.model) === slug) ??
    main
  );
}

/** The id and name of a limit. */
export type LimitName = Pick<LimitQuota, "id" | "name">;

/** The limit that counts for `model`; undefined if it is the main one. */
export function ownLimitFor(
  quota: Quota,
  model: string | undefined,
  refusedBy: RefusedBy,
): LimitQuota | undefined {
  const limit = limitFor(quota, model, refusedBy);
  return limit === quota.main ? undefined : limit;
}

// --- internal ---

/** `GPT-5.3-Codex-Spark`, `gpt_5.3_codex_spark` and `gpt-5.3-codex-spark` are the same name. */
function slugOf(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, "-");
}
