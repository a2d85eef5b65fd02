// The screen that a login stopped at, kept for whoever wants to know why.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, writeFileAtomic } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";

/** What stood in its fields is in neither. */
export interface LastScreen {
  /** PNG. */
  readonly picture: Uint8Array;
  /** Which screen it was, why it was the last, and where, without the query. */
  readonly text: string;
}

/** Keeps `screen` in the place of the one before; returns the picture's path. Throws `file_unusable`. */
export function keepLastScreen({ logs }: Layout, { picture, text }: LastScreen): string {
  const path = join(logs, PICTURE);
  makePrivateDirectory(logs);
  writeFileSync(path, picture, { mode: 0o600 });
  writeFileAtomic(join(logs, TEXT), text);
  return path;
}

/** A login begins: the screen of an earlier one would only mislead. */
export function forgetLastScreen({ logs }: Layout): void {
  try {
    for (const name of [PICTURE, TEXT]) rmSync(join(logs, name), { force: true });
  } catch {
    // where nothing can be removed, nothing can be kept
  }
}

// --- internal ---

const PICTURE = "login-with.png";
const TEXT = "login-with.txt";
