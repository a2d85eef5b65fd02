// Generates docs/policies.md, which describes each policy and compares them in the simulation of the test suite.

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

A policy places new sessions and requests without a session. A session stays with the account that served it while that
account can serve it (\`policy.affinity\`).

Accounts are considered in tiers before any policy applies: first those with ordinary quota left, then those with only
credits left (never if \`policy.use_credits\` is \`false\`), then those whose figures say they are exhausted. Within a tier,
a pin comes first, then the session's own account.

After a cooldown an account gets one request at first, then two, then four; until then others are preferred. When every
account is cooling after a fault, the one whose cooldown ends first is tried.

${MODES}
The score is what is left of each of the account's windows (0 to 1, unknown counts 0.30), weighted by \`policy.weights\`:
\`daily\` for the short window, \`weekly\` for longer ones. The length that the backend reports makes a window short (about
5 hours), weekly or monthly. A window that the backend does not list does not limit the account.

Some models have their own limit. For them it replaces the main limit in score, cooldown and exhaustion; exhausting it
does not affect the account's other models. A limit belongs to a model if it has the model's name, if the backend says
so, or once the backend has refused the model because of it. A model that only some accounts have is placed only on
those.

\`codexlb explain\` shows all of this for the next request, for a session's next request (\`--session ID\`), or for a model
(\`--model MODEL\`).

## Models

Codex offers the models of all accounts and child proxies in service. If several have a model, its settings come from
the first one in the list. A model that only one account has disappears from the list when that account is disabled.

## How they compare

Sessions of 1 to 60 turns on working days, the same ones for every policy, for ${DAYS} days in three worlds, through the
pool as the proxy runs it. Demand is ${LOAD * 100} % of what the accounts have. An account may spend ${SHORT_LIMIT} in five hours and
${WEEK_LIMIT} in a week; weeks end at staggered times. A turn costs ${WARM_COST}, or ${COLD_COST} when the session's prompt is not in the
account's cache. The test suite runs this and prints the same table.

- refused, with room: turns that no account took although an account had room. It must be 0.
- refused: turns that no account took because every account was exhausted.
- wasted at resets: what was left of weekly allowances when they ended.
- moves: turns of a session on another account than the one before.
- cache hits: of all turns but the first of each session.
`;
