// Checks whether a proxy runs on a root.

import { daemonAt } from "../../src/admin/daemon.ts";

/** True if a proxy responds on the admin socket at `socketPath`. */
export async function daemonAnswers(socketPath: string): Promise<boolean> {
  return (await daemonAt(socketPath)).kind === "answers";
}
