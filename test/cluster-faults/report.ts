// Writes docs/cluster-faults.md, which shows the results of the matrix.

import { markdownTable } from "../../scripts/markdown-table.ts";
import { FAULTS } from "./faults.ts";
import type { Outcome } from "./matrix.ts";
import { SITUATIONS } from "./situations.ts";

export function clusterFaultsPage(outcomes: readonly Outcome[]): string {
  const rows = FAULTS.map((fault) => [
    fault.name,
    REPORTS[fault.degrades],
    ...SITUATIONS.map((situation) => {
      const found = outcomes.find((one) => one.fault === fault && one.situation === situation);
      return found === undefined || found.problem !== undefined
        ? "FAILED"
        : `${found.recoverySeconds.toFixed(1)} s`;
    }),
  ]);
  return `${HEAD}
${markdownTable([["fault", "reported by", ...SITUATIONS.map(({ name }) => name)], ...rows])}`;
}

/** The page without times, which differ from run to run. */
export function withoutTimes(page: string): string {
  return page.replaceAll(/\d+\.\d s\b/g, "").replaceAll(/[ -]+/g, " ");
}

// --- internal ---

const REPORTS = { none: "", target: "that replica", all: "all replicas" } as const;

const HEAD = `# Failures of replicas and their server

Read this if you run several replicas and want to know what happens when one of them, the server of the pool, or the
network between them fails. [cluster.md](cluster.md#when-the-server-fails) describes the rules behind this table.

\`make test-cluster\` writes this page. Each cell is a separate pool: three proxies, a Redis server, and the simulated
backend. The fault begins in one of five situations:

- **idle:** no client and no command. During the fault, each running replica serves a new session.
- **under load:** six sessions, half of them over WebSocket, change to another replica with every turn. If a replica is
  killed or restarted during a turn, the client sends the turn to the next replica, as a load balancer does.
- **during a renewal:** a replica has sent the refresh token of the only account, and the answer arrives during the
  fault. The fault hits this replica; if it is a restart, it hits another one. If the fault kills the replica, its
  request does not reach the backend.
- **during a renewal that outlasts the fault:** the answer arrives after the fault, and after another replica has been
  restarted, which then also wants to renew the login.
- **during import, pin, rm:** each replica carries out one of these commands when the fault begins. Two more commands
  follow during the fault.

A fault lasts until the replicas in the column "reported by" have reported that they cannot use the server; a replica is
stopped for 20 seconds. The other columns show how long the recovery takes: from the end of the fault, or from its
beginning if it is over at once, until no replica reports a problem, all replicas and the server have the same accounts,
pins and keys, and each replica serves a new session. The times are from one run, and differ from run to run.

\`make test-cluster\` fails if a client gets an error, if the backend gets a refresh token twice, if a command fails on a
replica that is not killed or restarted, or if a change that a command has confirmed is missing on a replica at the end.
`;
