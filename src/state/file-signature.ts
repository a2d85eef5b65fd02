// Notices that a file was replaced or changed, without reading it.

import { statSync } from "node:fs";

/** Changes with the file: its inode, modification time and size. `none` for a file that is missing or unreadable. */
export function signatureOf(path: string): string {
  try {
    const { ino, mtimeMs, size } = statSync(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch {
    return "none";
  }
}
