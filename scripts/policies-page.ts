// Generates docs/policies.md, which describes each policy and compares them in simulations: one of the test suite, and
// those of `make simulate`.

import { LARGEST_CONCURRENCY } from "../src/core/account-options.ts";
import { MOST_PER_DAY } from "../src/core/anchor/anchor-count.ts";
import { LEAST_LEFT_OF_WEEK } from "../src/upstream/anchor-plan.ts";
import { compare, comparisonRows, DAYS } from "../test/simulation/compare.ts";
import { ANCHOR_TOKENS, anchorRows } from "../test/simulation/compare-anchoring.ts";
import { defaultRows } from "../test/simulation/compare-defaults.ts";
import { optionRows } from "../test/simulation/compare-options.ts";
import { CREDITS, HIGH_LOAD, METERED_EVERY, spendingRows } from "../test/simulation/compare-spending.ts";
import { storedLongRuns } from "../test/simulation/long-runs.ts";
import { LOAD } from "../test/simulation/run-all.ts";
import {
  ANCHOR_COST,
  COLD_COST,
  METER_SHARE,
  SHORT_LIMIT,
  WARM_COST,
  WEEK_LIMIT,
} from "../test/simulation/world.ts";
import { markdownTable } from "./markdown-table.ts";

export function policiesPage(): string {
  const { defaults, options, spending, anchoring } = storedLongRuns();
  return `${HEAD}
${markdownTable(comparisonRows(compare()))}
${DEFAULT_HEAD}
${markdownTable(defaultRows(defaults))}
${OPTIONS_HEAD}
${markdownTable(optionRows(options))}
${SPENDING_HEAD}
${markdownTable(spendingRows(spending))}
${ANCHORING_HEAD}
${markdownTable(anchorRows(anchoring))}`;
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
  ["`round_robin`", "the next one in the list", "rotate through the accounts, whatever the figures say"],
  [
    "`least_in_flight`",
    "the one with the fewest requests in flight; among equals, the one with the better score",
    "run many sessions at once",
  ],
  [
    "`reset_aware`",
    "the one with the highest urgency. The account that served last stays until another one is more urgent by more than `delta_percent` percent",
    "spend quota before it expires, if you need nearly all of it",
  ],
]);

const HEAD = `# Policies

Read this to choose how codexlb places new sessions, to use some accounts before others, to keep part of an account
back, to limit its concurrent turns, to reserve accounts for some of your work, or to start the 5h windows of accounts
earlier. The policy is the last rule: availability, tags, pins, a session's own account and priorities come first
([how-it-decides.md](how-it-decides.md#which-account-gets-a-turn)).

\`\`\`toml
[policy]
mode = "usage_balanced"
\`\`\`

${MODES}
- **Score.** The share that is left of each of the account's windows (0 to 1; unknown counts as 0.30), weighted by
  \`policy.weights\`: \`daily\` for the 5h window, \`weekly\` for longer ones.
- **Urgency.** The share that is left of each window, divided by the share of the window's time that is left, weighted in
  the same way. An account with an urgency above 1 would lose some of its quota at the reset.

\`codexlb explain\` shows both for the next request, for a session's next request (\`--session ID\`), or for a model
(\`--model MODEL\`).

## Priorities and floors

\`\`\`sh
codexlb account set spare --priority 10         # spend this account first
codexlb account set main --floor-weekly 20%     # keep the last 20 % of its week for yourself
codexlb run --account main                      # one run that may go below the floor
codexlb account set main --floor-weekly none    # remove the floor
\`\`\`

The same in config.toml, which wins over \`account set\` and applies within a second; \`codexlb account show\` names the
source of each value:

\`\`\`toml
[accounts.main]
priority = -1
floor_daily = "10%"
floor_weekly = "20%"
tags = ["work"]
note = "also used without codexlb"

[policy]
spend_floors = "last"
\`\`\`

- **Priority.** Of the accounts with the best availability, those with the highest priority get new sessions (default 0,
  from -1000 to 1000). Among equals the policy decides. A session stays with its account, whatever the priorities.
- **Floor.** The share of a window that codexlb keeps back. \`daily\` is the 5h window, as in \`policy.weights\` and in
  the JSON; \`weekly\` is every longer window. An account is at its floor if its figures show that no more than this
  share is left. Unknown figures count as above the floor. A turn that begins above the floor may end a little below it.
- **At its floor** an account gets no turn while another one has room, not even of its own sessions: they move, as after a
  usage limit. Only a pin goes below a floor, because you name the account yourself.
- **If no other account can serve,** codexlb spends credits first, then quota below a floor, and only then tries
  accounts that look exhausted. An [API key](api-key.md) comes last.
  \`status\` and \`explain\` show that. With \`policy.spend_floors = "never"\` the proxy instead refuses the turn with a
  usage-limit error that has the window's reset and says how to remove the floor. The pool's figures then leave out what
  is kept back: the row \`pool\` of \`status\`, the limits that Codex shows, \`pool_low\` notifications and the pool's
  forecast contain what the pool may use. An account with 50 % left and a floor of 20 % counts as 30 %. Separate limits
  of single models are shown whole.
- **Who sees them.** Everyone who can read the status sees priorities, floors, tags and notes.
- **In a chain** each proxy has its own options for its own accounts. A proxy in front also uses a child's accounts that
  are at their floor only as a last resort.

## Concurrent turns

\`\`\`sh
codexlb account set shared --concurrency 2      # at most two turns at the same time (1 to ${LARGEST_CONCURRENCY})
codexlb account set shared --concurrency none   # no limit, which is the default
\`\`\`

The same in config.toml: \`concurrency = 2\` below \`[accounts.shared]\`.

- **What counts.** Turns of all sessions, and the requests with which Codex prepares a connection, over HTTP and
  WebSocket, from the moment the account is chosen until the response ends or fails, or the client disconnects. Idle
  connections, model lists, usage polls and \`codexlb account redeem\` do not count. The turns of [anchoring](#anchoring)
  count; they are sent only to idle accounts. The limit applies to all [replicas](cluster.md#limits) together.
- **A full account** serves as many turns as its limit allows. It is passed over, even for its own sessions and for runs
  that are pinned to it. The turn goes to another account immediately, because a turn may take many minutes, and a lost
  prompt cache costs only one slower start. The session itself does not move: its next turn goes to its own account
  again if that has a free slot. Over WebSocket this happens between turns. Only sessions whose history no other account
  can decrypt wait for their own account.
- **A full account counts as one that cannot serve.** So other accounts spend credits, quota below a floor or money for
  an [API key](api-key.md) before a turn waits. A turn waits rather than try an account that is cooling down.
- **If every account that could serve is full,** the turn waits for a slot, for at most 60 seconds in total. Free slots
  go to waiting turns in order of arrival. Codex shows nothing meanwhile. If a client disconnects, the turns behind its
  turn move up. At most 256 turns wait, with at most 64 MiB of requests. A turn that cannot wait, or waits too long, is
  refused with status 503 (over WebSocket with an error event of status 429) and a \`Retry-After\` of 5 seconds, after
  which Codex sends it again. A turn that came through another proxy of a [chain](chaining.md) does not wait, because
  the proxy in front may have other accounts. The wait is not part of the turn's duration.
- **When the proxy shuts down or restarts,** turns that wait are refused immediately in the same way. The message says
  that the proxy is shutting down, and Codex sends the turn again.
- **Changing the limit.** A lower limit ends no turn; it only keeps new turns away. A higher one applies within a
  second.
- **What you see.** \`status\`, \`explain\` and the dashboard show \`at its limit of 2 concurrent turns\`; \`status\` also shows
  how many turns wait for a slot. If the next turn would wait, \`status\` shows \`every available account is full\`, and
  \`status --short\` prints \`lb=none reason=full\`. A full account that is draining is shown as \`draining\`. The event log
  has \`request.queued\` and \`request.queue_ended\`, and the metric is \`codexlb_turns_queued\`.

(\`proxy/concurrency.test.ts\`)

## Tags

\`\`\`sh
codexlb account set alice --tag work,fast       # in place of the tags that it has
codexlb run --tag work                          # prefers accounts with the tag
codexlb run --tag work --only                   # accepts no other account
codexlb explain --tag work                      # shows which account that is
codexlb key add laptop --tag work --only        # the same for a client's key
\`\`\`

An account matches if it has any of the tags. A tag is a preference: like a pin on several accounts, it decides before the
session and the priority. It applies only among the accounts with the best availability. So other accounts serve while
those with the tag are exhausted, at their floor or have only credits left. A tag alone never causes a refusal. With
\`--only\` the tag is a requirement: if no account with the tag can serve, the proxy refuses the turn and names the tag.
These are two flags because people use tags for two purposes: a preference must never stop your work, and an account of
your employer must never serve private work.

- If no account has the tag, \`run\`, \`explain\` and \`key add\` warn, because a typo would otherwise go unnoticed.
- \`policy.tags\` and \`policy.tags_only\` apply to requests whose run and key name no tags.
- The tags of a run come before those of its key. What a key requires always counts, if clients must show their keys
  (\`proxy.client_auth\`). A run that uses a client key cannot use \`--tag\` or \`--account\`; that needs a key with
  role \`parent\`.
- Child proxies have no tags here: with \`--only\` they get no turns.

## Anchoring

The 5h window of an account begins with the first turn after its last window has ended. If you start work at 09:00, the
window is reset at 14:00. If it had begun at 07:00, it would have been reset at 12:00. codexlb can start it for you,
with a very small turn. This is called anchoring:

\`\`\`toml
[anchor]
enabled = true
at = ["07:00"]
stagger = true
\`\`\`

- **When.** At each time in \`at\`, in the time zone of the proxy's machine, with a delay of up to three minutes.
  Accounts are anchored one at a time. With \`stagger\` the accounts follow one another evenly over five hours from that
  time on, in the order of the list: five accounts begin at 7, 8, 9, 10 and 11, so their resets are spread too. An
  account that could not be anchored at its time, for example because the machine was asleep, can be anchored for
  another hour.
- **Which time.** With \`stagger\`, about two hours before you begin. Without it, five hours before the middle of your
  working time. [What anchoring gains](#what-anchoring-gains) has figures, also of when it gains nothing.
- **Which accounts.** codexlb anchors only this proxy's own accounts, not those of child proxies. An account must be
  enabled, healthy and not draining, have no requests in flight, be above its floors, and have at least ${LEAST_LEFT_OF_WEEK * 100} % of its
  longer windows left. With less, the longer window would run out before the 5h window. The account's catalogue must
  have the model, and the model must count for the main limit.
- **How codexlb knows that a window has not begun.** The backend does not report it. For an unused window it reports a
  reset five hours after each request, so the reset moves with the time; a window that runs has a fixed reset. This is
  what users of the backend have observed, not what OpenAI documents. codexlb sends a turn only after two readings, at
  least a minute apart, that show at most 1 % used and a reset that moved by the time between them. The second reading
  must be less than a minute old. If the backend reports something else, nothing is sent.
- **What it costs.** One turn for \`anchor.model\` for each account and time, at most ${MOST_PER_DAY} a day for each account. Its
  prompt is a few words, for which the backend counts some tens of tokens. The turn counts for the weekly window too.
  \`codexlb status\` shows the turns and tokens of the day (\`anchored today\`), and \`codexlb usage --by session\` shows
  them as \`anchor\`.
- **What happens to the turn.** It takes the same path as every other turn: the same credentials and renewal, proxy and
  headers, the same rules for limits and failures. Its response reports the quota as usual. It neither moves sessions nor
  makes the account the active one. \`codexlb proxy logs\` shows \`anchor.sent\` or \`anchor.failed\`. After a failure the
  account is not tried again before its next time.
- **Never twice.** The turn is counted in the state of the proxy before it is sent. A restart does not repeat it, and of
  two proxies on one root only the one that owns the root sends it. Of several [replicas](cluster.md#background-jobs),
  one sends the turns for all.

## How they compare

A simulation runs the proxy's pool for ${DAYS} days, three times with different random sessions. All policies get the same
sessions: 1 to 60 turns each, every day between 7 and 23. Demand is ${LOAD * 100} % of what the accounts have. An account has
${SHORT_LIMIT} units for five hours and ${WEEK_LIMIT} in a week; weeks end at staggered times. A turn costs ${WARM_COST}, or ${COLD_COST} when the
session's prompt is not in the account's cache. The test suite runs this and prints the same table.

- refused, with room: turns that no account took although one had quota left. This must be 0.
- refused: turns that no account took because every account was exhausted.
- wasted at resets: the share of weekly quota that was left at the reset. Quota left in windows that are not reset
  before the simulation ends does not count. So if two policies serve the same turns, the one that wastes less has more
  left in those windows; in the long run, both leave nearly the same amount unspent.
- moves: turns that ran on another account than the turn before in the same session.
- cache hits: the share of turns whose prompt was in the account's cache, without the first turn of each session.
`;

const DEFAULT_HEAD = `To compare them on your own turns and accounts, run \`codexlb simulate\` ([simulate.md](simulate.md)).

### Why usage_balanced is the default

\`reset_aware\` leaves less quota unused, so it was a candidate for the default. The table compares both over four weeks.
A refused turn ends its session, so the session's remaining turns are not served. \`make simulate\` runs the comparison,
and the test suite repeats the rows with two accounts.

- Work in eight-hour days, demand 50 % or 75 %: \`usage_balanced\` serves the same number of turns or more, for each
  number of accounts. With 20 accounts and 75 %, \`reset_aware\` serves 6 % fewer. Differences below 1 % may be random.
- Work all day, demand 50 % or 75 %: both serve all turns. \`reset_aware\` leaves less at the resets, but no turn needed it,
  and sessions move 3 to 60 times as often.
- Work all day, demand 95 % or 110 %: with three or more accounts, \`reset_aware\` serves 1 to 4 % more turns.

So \`usage_balanced\` stays the default: it is better, or equal with fewer moves. Choose \`reset_aware\` if you need
nearly all of your quota, all day long.
`;

const SPENDING_HEAD = `### Credits, and models with their own limit

The same simulation over four weeks, with a demand of ${Math.round(HIGH_LOAD * 100)} % so that accounts run out. An account with
credits has ${CREDITS} units of them. In some rows every ${METERED_EVERY}th session uses a model whose own limit is ${METER_SHARE * 100} % of the main one.

- credits, with quota: turns that spent credits although the figures of another account showed quota above its floor.
  This must be 0.
- turns on credits: turns that spent credits.
`;

const OPTIONS_HEAD = `### Priorities and floors

The same simulation over four weeks, with \`usage_balanced\` and with account options.

- refused, with room: as above, without what is kept back if floors are never spent. This must be 0.
- floor crossed, with room: turns that began on an account at its floor although another one had room above its own. This
  must be 0.
- least left of its week: the lowest share of the first account's week that was left at the start of a turn there.
`;

const ANCHORING_HEAD = `### What anchoring gains

The same over four weeks with \`usage_balanced\`, without anchoring and with it, for several working times. Demand is
again ${LOAD * 100} % of the weekly quota, so the fewer hours are worked, the more often the 5h windows are
exhausted. An account with a monthly window has it instead of the weekly one, with the same quota per day. An anchor
turn is assumed to cost ${ANCHOR_COST} units and ${ANCHOR_TOKENS} tokens.

- turns served: a session ends when a turn is refused, so its remaining turns are not served.
- wait: the hours from each refused turn to the next time at which an account had quota, added up.
- share of the week: the part of all weekly quota that the anchor turns used.

What follows from the table:

- If work takes most of the day, the 5h windows are rarely exhausted. Anchoring then gains nothing, and its turns are
  wasted.
- With eight-hour working days and anchoring staggered from two hours before work, two accounts refuse about half as
  many turns as without anchoring, and twenty accounts refuse an eighth as many. The turns that are still refused wait
  less, because some account is always about to be reset.
- With all resets in the middle of the working time (\`stagger = false\`, five hours before that), still fewer turns are
  refused, but these wait longer. If the time is wrong by an hour, most of the gain is lost, and the waits become longer
  than without anchoring. \`stagger\` depends less on the exact time, so it is the default.
- If all work is done in four hours, all windows should be reset in the middle of that time. Staggered, most of them
  would be reset after work.
- Anchoring does not help an account whose week is exhausted. Where fewer turns are refused, more of the week is spent.
`;
