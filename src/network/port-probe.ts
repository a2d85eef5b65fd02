// Finds out whether a program listens on an address of this machine.

import { createServer } from "node:net";
import type { ListenAddress } from "../core/listen.ts";
import { systemCodeOf } from "../errors.ts";

/** Whether another program listens on `address`. Port 0 is never taken. */
export function isTaken({ host, port }: ListenAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve(systemCodeOf(error) === "EADDRINUSE"));
    probe.listen(port, host, () => probe.close(() => resolve(false)));
  });
}
