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

const REPORTS = { none: "", target: "this replica", all: "all replicas" } as const;

const HEAD = `# Failures of replicas and their server

Read this if you run several replicas and want to know what happens when one of them, the server of the pool, or the
network between them fails. [cluster.md](cluster.md#when-the-server-fails) describes the rules behind this table.

\`make test-cluster\` writes this page. Each cell is a pool of its own: three proxies, a Redis server, and the simulated
backend. The fault begins in one of five situations:

- **idle:** no client and no command. While the fault lasts, each replica that runs serves a new session.
- **under load:** six sessions, half of them over WebSocket, change their replica with every turn. If a replica is killed
  or restarted during a turn, the client sends the turn to the next replica, as a load balancer does.
- **during a renewal:** a replica has sent the refresh token of the only account, and the answer arrives while the fault
  lasts. The fault hits this replica, or another one if it is a restart. The request of a replica that is killed does not
  reach the backend.
- **during a renewal that outlasts it:** the answer arrives after the fault, and after another replica has been restarted,
  which then wants to renew the login as well.
- **during import, pin, rm:** each replica carries out one of these commands when the fault begins. Two more commands
  follow while it lasts.

A fault lasts until all replicas in the column "reported by" have reported that they cannot use the server; a replica is
stopped for 20 seconds. The other columns show the recovery time. It begins when the fault ends, or when it begins if it
is over at once, and ends when no replica reports a problem, all have the same accounts, pins and keys, the server has all
facts again, and each replica serves a new session. The times are those of one run, and differ from run to run.

\`make test-cluster\` fails if a client gets an error, if the backend gets a refresh token twice, if a command fails on a
replica that is not killed or restarted, or if a change that a command has confirmed is missing on a replica in the end.
`;
