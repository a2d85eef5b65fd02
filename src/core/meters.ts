// Which limit of an account counts for a model. The main limit counts, unless the account has one of the model's own.

import { type LimitQuota, MAIN_LIMIT_ID, type Quota } from "./quota.ts";

/**
 * Says which limit the backend named when it refused a request for `model`: its id, or undefined when it has refused
 * none so far.
 */
export type RefusedBy = (model: string) => string | undefined;

/**
 * The limit of `quota` that counts for `model` (undefined: for any), in this order: the one that the backend has refused
 * the model by; the one that is called like the model; the one whose normal model it is; the main limit.
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

/** What names a limit. */
export type LimitName = Pick<LimitQuota, "id" | "name">;

/** The limit that counts for `model`, unless it is the main one. */
export function ownLimitFor(
  quota: Quota,
  model: string | undefined,
  refusedBy: RefusedBy,
): LimitQuota | undefined {
  const limit = limitFor(quota, model, refusedBy);
  return limit === quota.main ? undefined : limit;
}

// --- internal ---

/** `GPT-5.3-Codex-Spark`, `gpt_5.3_codex_spark` and `gpt-5.3-codex-spark` are one name. */
function slugOf(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, "-");
}
