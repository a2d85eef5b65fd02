// Generates docs/policies.md, which describes each policy and compares them in the simulation of the test suite.

import { compare, comparisonRows, DAYS, LOAD } from "../test/simulation/compare.ts";
import { COLD_COST, SHORT_LIMIT, WARM_COST, WEEK_LIMIT } from "../test/simulation/world.ts";
import { markdownTable } from "./markdown-table.ts";

export function policiesPage(): string {
  return `${HEAD}
${markdownTable(comparisonRows(compare()))}`;
}

const MODES = markdownTable([
  ["`policy.mode`", "which account gets the request"],
  [
    "`usage_balanced`",
    "the account with the best score; the account that served last stays until another one is better by more than `delta_percent` points; if scores are equal, the account with fewer requests under way",
  ],
  [
    "`sticky`",
    "the account that served last, as long as it can serve; then the first account in the list that can",
  ],
  ["`round_robin`", "the next account in the list, even while requests are under way"],
  [
    "`least_in_flight`",
    "the account with the fewest requests under way; if equal, the account with the better score",
  ],
  [
    "`reset_aware`",
    "the account whose quota is most likely to expire unused: the share of each window's quota that is left, divided by the share of the window's time that is left, weighted; the account that served last stays until another one is more urgent by `delta_percent` percent",
  ],
]);

const HEAD = `# Policies

A policy places new sessions and requests without a session. A session stays with the account that served it while that
account can serve it (\`policy.affinity\`).

Availability comes before any policy. The proxy prefers accounts with ordinary quota left, then accounts with only
credits left (never if \`policy.use_credits\` is \`false\`), then accounts that are exhausted according to their figures.
Among accounts with the same availability, a pin comes first, then the session's own account.

After a cooldown an account gets one request at first, then two, then four; until then the proxy prefers other accounts.
If every account is cooling after a fault, the proxy tries the account whose cooldown ends first.

${MODES}
The score is the share of quota left in the account's windows (0 to 1; an unknown share counts as 0.30), weighted by
\`policy.weights\`: \`daily\` for the short window, \`weekly\` for longer windows. A window is short (about 5 hours), weekly
or monthly by the length that the backend reports. A window that the backend does not list does not limit the account.

Some models have their own limit. For these models it replaces the main limit in score, cooldown and exhaustion, and
exhausting it does not affect the account's other models. A limit belongs to a model if it has the model's name, if the
backend says so, or once the backend has refused the model because of it. If only some accounts offer a model, the proxy
sends its turns only to them.

\`codexlb explain\` shows the ranking for the next request, for a session's next request (\`--session ID\`), or for a model
(\`--model MODEL\`).

## Models

Codex offers the models of all accounts and child proxies in service. If several have a model, its settings come from
the first one in the list. A model that only one account has disappears from the list when that account is disabled.

## Comparison

The simulation sends sessions of 1 to 60 turns through the real pool on working days, the same sessions for every
policy, for ${DAYS} days in three worlds. The demand is ${LOAD * 100} % of the quota of all accounts. An account may spend ${SHORT_LIMIT} in five
hours and ${WEEK_LIMIT} in a week; the weeks end at different times. A turn costs ${WARM_COST}, or ${COLD_COST} if the session's prompt is not in
the account's cache. The test suite runs the same simulation and prints the same table.

- refused, with room: turns that were refused although an account had quota left. It must be 0.
- refused: turns that were refused because every account was exhausted.
- wasted at resets: the share of weekly quota that was left when the windows ended.
- moves: turns on another account than the session's previous turn.
- cache hits: the share of turns whose prompt was in the cache, without the first turn of each session.
`;
