// Lets a new proxy wait until the old one has shut down, as in `kill $PID; codexlb proxy`.

import { remoteInfo } from "../admin/client.ts";
import { socketDoor } from "../admin/door.ts";
import type { Deps } from "../deps.ts";
import type { Layout } from "../state/layout.ts";

/** Waits while the proxy on the root is shutting down, and logs that it waits. */
export async function untilDrained({ root, adminSocket }: Layout, { log }: Pick<Deps, "log">): Promise<void> {
  const door = { ...socketDoor(adminSocket), timeoutMs: ANSWER_MS };
  const drains = () =>
    remoteInfo(door).then(
      ({ draining }) => draining,
      () => false, // the proxy has exited, or does not answer
    );
  if (!(await drains())) return;
  log.info(`the proxy on ${root} is shutting down; starting after it`);
  while (await drains()) await Bun.sleep(POLL_MS);
}

// --- internal ---

const POLL_MS = 100;
const ANSWER_MS = 1_000;
