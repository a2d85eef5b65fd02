// docs/faults.md: what was seen when the fault matrix was run.

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

/** The page without what differs from run to run: how long things took. */
export function withoutTimes(page: string): string {
  return page.replaceAll(/\d+\.\d s\b/g, "").replaceAll(/[ -]+/g, " ");
}

/** Silent, or what the user reads, with repetitions counted. */
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

const HEAD = `# What fails, and what Codex sees of it

Written by \`make test-faults\`, which runs every row against the simulated backend with a client that takes a turn as
Codex 0.171 does: its warming up, its retries, its waits, its words. \`make test-real\` holds the rows that matter most
against the real one. A failure happens whenever alice is asked, unless the backend ends a connection by it.

Each cell says who completed the turn, what the user was shown besides the answer (nothing, if nothing is said), how many
connections and requests of the client it took when it was more than one (the second one is silent), how long it took
(Codex's waits included; in the rows in which nothing comes, timeouts are set to one second), and in which state accounts
are left that are not ready.

The run fails unless, with a healthy second account, every turn completes and nothing is shown, except where the request
itself is at fault: then the client gets the error at once, and no account suffers. Exactly one account sees a request
that is refused on grounds of policy. Codex does not know \`too_many_denials\` in a stream, and repeats the turn by itself.
It announces that it sends a message that is too large over HTTP.
`;
