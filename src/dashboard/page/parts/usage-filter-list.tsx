// The groups to which the usage is limited, each with a button that ends it. An account has its own choice, but turns
// without one do not.

import type { UsageFilter, UsageFilters } from "../../../core/usage-report.ts";
import { FILTER_WORDS, unnamedGroup } from "../../../core/usage-words.ts";

export function UsageFilterList(props: {
  readonly filters: UsageFilters;
  readonly change: (filters: UsageFilters) => void;
}) {
  const { filters, change } = props;
  const given = NAMES.filter(
    (name) => filters[name] !== undefined && (name !== "account" || filters.account === ""),
  );
  if (given.length === 0) return null;
  return (
    <ul class="given-filters" aria-label="Filters">
      {given.map((name) => (
        <li key={name}>
          <span>
            only {FILTER_WORDS[name]} <strong>{filters[name] || unnamedGroup(name)}</strong>
          </span>
          <button
            type="button"
            class="small"
            aria-label={`Remove the filter: ${FILTER_WORDS[name]} ${filters[name] || unnamedGroup(name)}`}
            onClick={() => change({ ...filters, [name]: undefined })}
          >
            Remove
          </button>
        </li>
      ))}
    </ul>
  );
}

// --- internal ---

const NAMES = Object.keys(FILTER_WORDS) as UsageFilter[];
