// The admin API's unix socket. Other users can never open it, not even briefly. `stop` removes only the file that it
// created.

import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemProblem } from "../errors.ts";
import { identityOf } from "../state/root-owner.ts";
import { socketAddress } from "../state/socket-path.ts";

export interface SocketDoors {
  readonly routes: Readonly<Record<string, () => Response>>;
  /** Handles requests that match none of the routes. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

export interface AdminSocket {
  /** Closes every connection, and removes the socket unless another process has replaced it. */
  stop(): Promise<void>;
}

/** Only the owner may connect. */
const OTHERS_AND_EXECUTION = 0o177;

/**
 * Listens at `path`. The caller owns the root, so an existing socket was left behind by a killed process and is
 * replaced. Throws `listen_failed`.
 */
export function listenOnSocket(
  path: string,
  { random }: Pick<Deps, "random">,
  doors: SocketDoors,
): AdminSocket {
  // When the server stops, Bun removes the path that it was given, whatever file is there by then. So give it a
  // temporary path.
  const passing = join(dirname(path), `.${Buffer.from(random(4)).toString("hex")}.sock`);
  // With the umask the system creates the file with the right mode; changing it afterwards would leave a gap.
  const umask = process.umask(OTHERS_AND_EXECUTION);
  try {
    const server = Bun.serve({
      unix: socketAddress(passing),
      development: false,
      ...doors,
      // Never close idle connections, because logins and presence can be silent for minutes and `server.timeout()` has
      // no effect on a unix socket. Bun still closes connections without a complete head after 12 s. The cast is needed
      // because the types allow this option for ports only.
      ...({ idleTimeout: 0 } as object),
    });
    renameSync(passing, path);
    const ours = identityOf(path);
    return {
      stop: async () => {
        // No other file can have this identity while we listen.
        if (identityOf(path) === ours) rmSync(path, { force: true });
        await server.stop(true);
      },
    };
  } catch (error) {
    throw new CodexlbError("listen_failed", `listening on ${path}: ${systemProblem(error)}`, {
      next: "check that this user can write to the directory; a root with a shorter path may help",
      cause: error,
    });
  } finally {
    process.umask(umask);
  }
}
