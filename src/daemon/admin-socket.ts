// The admin API's unix socket: never open to others, not even for a moment, and only its own file is removed at the end.

import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { identityOf } from "../state/root-owner.ts";
import { socketAddress } from "../state/socket-path.ts";

export interface SocketDoors {
  readonly routes: Readonly<Record<string, () => Response>>;
  /** What is at none of them. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

export interface AdminSocket {
  /** Cuts every connection, and removes the socket unless another process has put one in its place. */
  stop(): Promise<void>;
}

/** Only the owner may connect. */
const OTHERS_AND_EXECUTION = 0o177;

/**
 * Listens at `path`. The caller owns the root, so a socket that is there was left behind by a killed process and is
 * replaced. Throws `listen_failed`.
 */
export function listenOnSocket(
  path: string,
  { random }: Pick<Deps, "random">,
  doors: SocketDoors,
): AdminSocket {
  // The runtime removes the path that it was given when it stops, whatever is there by then: one that nobody else has.
  const passing = join(dirname(path), `.${Buffer.from(random(4)).toString("hex")}.sock`);
  // The mode is set by the system with the file; there is no time in which it is another one.
  const umask = process.umask(OTHERS_AND_EXECUTION);
  try {
    const server = Bun.serve({
      unix: socketAddress(passing),
      development: false,
      ...doors,
      // Logins and presence say nothing for minutes, and on a unix socket `server.timeout()` has no effect. So idle
      // connections of the user's own programs are kept; Bun still cuts those without a complete head after 12 s. The
      // types know the option for ports only.
      ...({ idleTimeout: 0 } as object),
    });
    renameSync(passing, path);
    const ours = identityOf(path);
    return {
      stop: async () => {
        // While we listen, no other file can have the identity of this one.
        if (identityOf(path) === ours) rmSync(path, { force: true });
        await server.stop(true);
      },
    };
  } catch (error) {
    throw new CodexlbError("listen_failed", `listening on ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    process.umask(umask);
  }
}
