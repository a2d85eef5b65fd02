// Unix sockets in directories with long names. The kernel accepts at most 103 bytes as the path of a socket.

import { openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { CodexlbError } from "../errors.ts";

/** The bound of the kernel (104 bytes on macOS, 108 on Linux) without the final zero byte. */
const SOCKET_PATH_LIMIT = 103;

/**
 * A short enough path for the socket at `path`: `path` itself, or on Linux a path through the open directory, which stays
 * open until the process ends. Throws `listen_failed` on other systems, and `ENOENT` if there is no directory.
 */
export function socketAddress(path: string): string {
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT) return path;
  if (process.platform !== "linux")
    throw new CodexlbError("listen_failed", `the path ${path} is too long for a socket`, {
      next: "use a shorter --root",
    });
  return `/proc/${process.pid}/fd/${openSync(dirname(path), "r")}/${basename(path)}`;
}
