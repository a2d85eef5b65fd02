// docs/policies.md: what each policy does, and how they compare in the simulation of the test suite.

import { compare, comparisonRows, DAYS, LOAD } from "../test/simulation/compare.ts";
import { COLD_COST, SHORT_LIMIT, WARM_COST, WEEK_LIMIT } from "../test/simulation/world.ts";
import { markdownTable } from "./markdown-table.ts";

export function policiesPage(): string {
  return `${HEAD}
${markdownTable(comparisonRows(compare()))}`;
}

const MODES = markdownTable([
  ["`policy.mode`", "who gets the request"],
  [
    "`usage_balanced`",
    "the account with the best score, but the one that served last stays until another one is better by more than `delta_percent` points; among equals the one with fewer requests under way",
  ],
  ["`sticky`", "the account that served last, while it can serve; then the first in the list that can"],
  ["`round_robin`", "the next one in the list, also while requests are under way"],
  ["`least_in_flight`", "the one with the fewest requests under way; among equals the better score"],
  [
    "`reset_aware`",
    "the one whose allowance is most in danger of expiring unused: what is left of each window over the share of the window's time that is left, weighted; the one that served last stays while no other is more urgent by `delta_percent` percent",
  ],
]);

const HEAD = `# Policies

A policy places what has no account yet: new sessions, and requests without a session. A session stays with the account
that served it while that account can serve it (\`policy.affinity\`). Before any policy come, in this order: accounts with
known room before those that are used up by their figures; a pin; the session's own account. An account that comes back
from a rest gets one request first, then two, then four; until then others are preferred. When every account merely
rests after a fault, the one whose rest ends first is tried.

${MODES}
Score: what is left of the short and the long window (0 to 1, unknown counts 0.30), weighted by \`policy.weights\`, and
never more than what is left of any further limit. \`codexlb explain\` shows it all for the next request, or for the next
one of a session (\`--session ID\`).

## Models

Codex offers the models of all accounts and child proxies in service. If several have a model, its settings are those of
the first one in the list. A model that only one account has disappears from the list when that account is disabled.

## How they compare

Sessions of 1 to 60 turns on working days, the same ones for every policy, for ${DAYS} days in three worlds, through the
pool as the proxy runs it. Demand is ${LOAD * 100} % of what the accounts have. An account may spend ${SHORT_LIMIT} in five hours and
${WEEK_LIMIT} in a week; weeks end at staggered times. A turn costs ${WARM_COST}, or ${COLD_COST} when the session's prompt is not in the
account's cache. The test suite runs this and prints the same table.

- refused, with room: turns that nobody took although an account had room. It must be 0.
- refused: turns that nobody took because every account was used up.
- wasted at resets: what was left of weekly allowances when they ended.
- moves: turns of a session on another account than the one before.
- cache hits: of all turns but the first of each session.
`;
