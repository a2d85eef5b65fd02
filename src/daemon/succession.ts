// A proxy that is started while the one before it finishes its last requests, as in `kill $PID; codexlb proxy`.

import { remoteInfo } from "../admin/client.ts";
import { socketDoor } from "../admin/door.ts";
import type { Deps } from "../deps.ts";
import type { Layout } from "../state/layout.ts";

/** Waits as long as the proxy of the root is about to end, and says so. */
export async function untilDrained({ root, adminSocket }: Layout, { log }: Pick<Deps, "log">): Promise<void> {
  const door = { ...socketDoor(adminSocket), timeoutMs: ANSWER_MS };
  const drains = () =>
    remoteInfo(door).then(
      ({ draining }) => draining,
      () => false, // gone, or it does not answer
    );
  if (!(await drains())) return;
  log.info(`the proxy that runs on ${root} finishes what is under way; starting behind it`);
  while (await drains()) await Bun.sleep(POLL_MS);
}

// --- internal ---

const POLL_MS = 100;
const ANSWER_MS = 1_000;
