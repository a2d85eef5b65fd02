// Generates docs/policies.md, which describes each policy and compares them in the simulation of the test suite.

import { compare, comparisonRows, DAYS, LOAD } from "../test/simulation/compare.ts";
import { COLD_COST, SHORT_LIMIT, WARM_COST, WEEK_LIMIT } from "../test/simulation/world.ts";
import { markdownTable } from "./markdown-table.ts";

export function policiesPage(): string {
  return `${HEAD}
${markdownTable(comparisonRows(compare()))}`;
}

const MODES = markdownTable([
  ["`policy.mode`", "which account gets a new session", "choose it to"],
  [
    "`usage_balanced`",
    "the one with the best score. The account that served last stays until another score is better by more than `delta_percent` percentage points; among equals, the one with fewer requests in flight",
    "spend all accounts evenly",
  ],
  [
    "`sticky`",
    "the one that served last, while it can serve; then the first in the list that can",
    "use one account after another",
  ],
  ["`round_robin`", "the next one in the list", "take turns, whatever the figures say"],
  [
    "`least_in_flight`",
    "the one with the fewest requests in flight; among equals, the one with the better score",
    "run many sessions at once",
  ],
  [
    "`reset_aware`",
    "the one with the highest urgency. The account that served last stays until another one is more urgent by more than `delta_percent` percent",
    "waste as little as possible at resets",
  ],
]);

const HEAD = `# Policies

Read this to choose how codexlb places new sessions. The policy is the last rule: availability, pins and a session's own
account come first ([how-it-decides.md](how-it-decides.md#which-account-gets-a-turn)).

\`\`\`toml
[policy]
mode = "usage_balanced"
\`\`\`

${MODES}
- **Score.** The share that is left of each of the account's windows (0 to 1; unknown counts as 0.30), weighted by
  \`policy.weights\`: \`daily\` for the short window, \`weekly\` for longer ones.
- **Urgency.** The share that is left of each window, divided by the share of the window's time that is left, weighted in
  the same way. An account with an urgency above 1 would lose some of its quota at the reset.

\`codexlb explain\` shows both for the next request, for a session's next request (\`--session ID\`), or for a model
(\`--model MODEL\`).

## How they compare

A simulation runs the proxy's pool for ${DAYS} days, three times with different random sessions. All policies get the same
sessions: 1 to 60 turns each, on working days. Demand is ${LOAD * 100} % of what the accounts have. An account has
${SHORT_LIMIT} units for five hours and ${WEEK_LIMIT} in a week; weeks end at staggered times. A turn costs ${WARM_COST}, or ${COLD_COST} when the
session's prompt is not in the account's cache. The test suite runs this and prints the same table.

- refused, with room: turns that no account took although one had quota left. This must be 0.
- refused: turns that no account took because every account was exhausted.
- wasted at resets: the share of weekly quota that was left at the reset.
- moves: turns that ran on another account than the turn before in the same session.
- cache hits: the share of turns whose prompt was in the account's cache, without the first turn of each session.
`;
