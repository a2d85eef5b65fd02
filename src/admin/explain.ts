// The explanation that a request asks for, by the admin API or by the dashboard's page.

import { normalizedTags } from "../core/account-options.ts";
import type { TagDemand } from "../core/account-tags.ts";
import type { PoolExplanation } from "../core/explain.ts";
import type { Pool } from "../upstream/pool.ts";

/**
 * Explains the next turn. `asked` returns the parameters of the request: `session`, `model`, `tags` (separated by
 * commas), and `only` (`1`: accounts without such a tag never serve).
 */
export function explanationFor(
  pool: Pick<Pool, "explain">,
  asked: (parameter: string) => string | undefined,
): PoolExplanation {
  const text = (name: string) => asked(name)?.trim() || undefined;
  return pool.explain(text("session"), text("model"), demandsIn(text("tags"), asked("only")));
}

// --- internal ---

/** The demand of a run with these tags. */
function demandsIn(tags: string | undefined, only: string | undefined): TagDemand[] {
  const named = normalizedTags((tags ?? "").split(","));
  return named.length === 0 ? [] : [{ tags: named, only: only === "1" }];
}
