// Finds out whether a program can listen on an address of this machine.

import { createServer } from "node:net";
import type { ListenAddress } from "../core/listen.ts";
import { systemCodeOf } from "../errors.ts";

/** The system's error if a program listened on `address` now; undefined if it could. Port 0 is never taken. */
export function listenError({ host, port }: ListenAddress): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", resolve);
    probe.listen(port, host, () => probe.close(() => resolve(undefined)));
  });
}

/** True if `error`, from `listenError`, says that another program listens on the address. */
export function isTaken(error: Error | undefined): boolean {
  return systemCodeOf(error) === "EADDRINUSE";
}
