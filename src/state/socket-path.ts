// Unix sockets in directories with long names: the kernel takes 103 characters for the path of a socket.

import { openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { CodexlbError } from "../errors.ts";

/** The kernel's bound, less the final zero; 104 bytes on macOS, 108 on Linux. */
const SOCKET_PATH_LIMIT = 103;

/**
 * A path for the socket at `path` that is short enough: itself, or on Linux a way through the open directory, which
 * stays open for the life of the process. Throws `listen_failed` where there is none, `ENOENT` without a directory.
 */
export function socketAddress(path: string): string {
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT) return path;
  if (process.platform !== "linux")
    throw new CodexlbError("listen_failed", `the path ${path} is too long for a socket`, {
      next: "use a shorter --root",
    });
  return `/proc/${process.pid}/fd/${openSync(dirname(path), "r")}/${basename(path)}`;
}
