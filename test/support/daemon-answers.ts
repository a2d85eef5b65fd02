// Whether a proxy runs on a root.

import { daemonAt } from "../../src/admin/daemon.ts";

/** True if a proxy answers behind the admin socket at `socketPath`. */
export async function daemonAnswers(socketPath: string): Promise<boolean> {
  return (await daemonAt(socketPath)).kind === "answers";
}
