// Keeps the screen at which a login stopped, so that the user can see why.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";

/** Neither the picture nor the text contains what was in the fields. */
export interface LastScreen {
  /** PNG. */
  readonly picture: Uint8Array;
  /** The name of the screen, the error, and the address without its query. */
  readonly text: string;
}

/** Stores the screen in place of the previous one. Returns the picture's path. Throws `file_unusable`. */
export function keepLastScreen({ logs }: Layout, { picture, text }: LastScreen): string {
  const path = join(logs, PICTURE);
  makePrivateDirectory(logs);
  writeFileSync(path, picture, { mode: 0o600 });
  writeFileAtomic(join(logs, TEXT), text);
  return path;
}

/** Removes the screen of an earlier login, which would mislead. */
export function forgetLastScreen({ logs }: Layout): void {
  try {
    for (const name of [PICTURE, TEXT]) rmSync(join(logs, name), { force: true });
  } catch {
    // a directory that cannot be written to will not get a new screen either
  }
}

// --- internal ---

const PICTURE = "login-with.png";
const TEXT = "login-with.txt";
