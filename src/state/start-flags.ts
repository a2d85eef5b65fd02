// The flags that the running proxy was started with. A proxy that shuts down removes the file, so a file without a proxy
// is from one that was killed, and `codexlb proxy restart` starts the next one with the same flags.

import { rmSync } from "node:fs";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { readTextIfPresent, writeFileAtomic } from "./atomic-file.ts";

/** The flags by name, without dashes: `{ listen: "127.0.0.1:9001" }`. */
export type StartFlags = Readonly<Record<string, string>>;

/** Writes `flags` to the file `path`; without flags there is no file. Throws `file_unusable`. */
export function keepStartFlags(path: string, flags: StartFlags): void {
  if (Object.keys(flags).length === 0) forgetStartFlags(path);
  else writeFileAtomic(path, `${JSON.stringify({ flags })}\n`);
}

/** Removes the file `path`, if there is one. */
export function forgetStartFlags(path: string): void {
  rmSync(path, { force: true });
}

/** The flags in the file `path`; undefined without a file that can be read. */
export function readStartFlags(path: string): StartFlags | undefined {
  return StartFlagsFile.safeParse(parseJson(readTextIfPresent(path) ?? "")).data?.flags;
}

// --- internal ---

const StartFlagsFile = z.object({ flags: z.record(z.string(), z.string()) });
