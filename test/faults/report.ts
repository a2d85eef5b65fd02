// Writes docs/faults.md, which shows the results of the fault matrix.

import { markdownTable } from "../../scripts/markdown-table.ts";
import type { Outcome } from "./matrix.ts";
import { PHASES, type Phase, ROWS, TRANSPORTS } from "./rows.ts";

export function faultsPage(outcomes: readonly Outcome[]): string {
  return `${HEAD}
## Alice fails, bob is healthy

${tableOf(outcomes, 2)}
## Alice is the only account

${tableOf(outcomes, 1)}`;
}

/** The page without times, which differ from run to run. */
export function withoutTimes(page: string): string {
  return page.replaceAll(/\d+\.\d s\b/g, "").replaceAll(/[ -]+/g, " ");
}

/** The messages that the user reads, with repetitions counted, or "silent". */
export function shownText({ shown }: Pick<Outcome, "shown">): string {
  const notices = shown.filter((line) => line.startsWith("Reconnecting")).length;
  const others = shown.filter((line) => !line.startsWith("Reconnecting"));
  return [
    ...(notices === 0 ? [] : [`"Reconnecting..." ${notices}x`]),
    ...others.map((line) => `"${line}"`),
  ].join(", ");
}

// --- internal ---

const WHEN: Readonly<Record<Phase, string>> = {
  head: "instead of the head",
  before: "before output",
  after: "after output",
};

function tableOf(outcomes: readonly Outcome[], accounts: number): string {
  const rows = ROWS.flatMap((row) =>
    PHASES.flatMap((phase) => {
      const cells = TRANSPORTS.map((transport) => {
        const found = outcomes.find(
          (one) =>
            one.accounts === accounts &&
            one.row === row &&
            one.phase === phase &&
            one.transport === transport,
        );
        return found === undefined ? "" : cellOf(found);
      });
      return cells.every((cell) => cell === "") ? [] : [[row.name, WHEN[phase], ...cells]];
    }),
  );
  return markdownTable([["failure", "when", "WebSocket", "SSE"], ...rows]);
}

function cellOf(outcome: Outcome): string {
  const { servedBy, seconds, states, tries } = outcome;
  const shown = shownText(outcome).replaceAll("|", "\\|");
  const ended = servedBy === undefined ? "fails" : `${servedBy} completes it`;
  const again = tries === 1 ? "" : `, tries: ${tries}`;
  const left = Object.entries(states)
    .filter(([, state]) => state !== "ready")
    .map(([alias, state]) => `; ${alias} ${state}`)
    .sort();
  return `${ended}${shown === "" ? "" : `, shows ${shown}`}${again}, ${seconds.toFixed(1)} s${left.join("")}`;
}

const HEAD = `# Failures, and what Codex shows

Read this to see what Codex shows for a particular failure, and which account completes the turn.
[how-it-decides.md](how-it-decides.md#failover-within-a-turn) describes the rules behind these tables.

\`make test-faults\` writes this page. It runs every row against the simulated backend with a client that behaves like
Codex 0.171 in a turn: warm-up, retries, waits and messages. \`make test-real\` checks the most important rows against the
real Codex. Each failure happens on every request to alice, unless the failure itself ends the connection.

The failure comes instead of the response's head, before the first output, or after it (column "when"). Each cell shows
which account completed the turn, what the user saw other than the answer (left out if nothing), the client's number of
tries if more than one (Codex shows nothing for the second), the duration including Codex's waits, and the state of
accounts that are not ready. In rows where nothing arrives, timeouts are set to one second.

In the first table every turn must complete without an error that the user sees; otherwise \`make test-faults\` fails.
Failures caused by the request itself are the exception: the client gets the error immediately, and no account is
affected. A request that the backend refuses because of a policy is sent to one account only. Codex does not know
\`too_many_denials\` in a stream, and retries the turn by itself. When a message is too large, Codex reports that it
switches to HTTP.
`;
