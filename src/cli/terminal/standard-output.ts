// Standard output as files and pipes are: what cannot be written is told, and a reader that has gone away is none's
// fault and ends the program.

import { fstatSync, statSync } from "node:fs";
import { devNull } from "node:os";
import { CodexlbError, messageOf, systemCodeOf } from "../../errors.ts";
import { print } from "../../print.ts";
import { report } from "../report-error.ts";

/** From now on a failure to write ends the program: without a word when the reader has gone away; `serves`: never. */
export function watchOutput(serves: boolean): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => broken.add(stream));
  process.stdout.on("error", (error) => {
    if (serves || taken.has(error)) return;
    tellUnwritten(error);
    void ended(process.stderr).then(() => process.exit());
  });
}

/** Says why there is no output, and that this is a failure, unless nobody wanted it any more. */
export function tellUnwritten(error: unknown): void {
  if (systemCodeOf(error) !== "EPIPE") process.exitCode = report(unwritten(error));
}

/**
 * Writes `text`, which is shown this once, and waits until it is out. Throws `file_unusable` when it cannot be written
 * or nobody could read it.
 */
export function printed(text: string): Promise<void> {
  // Bun opens it, too, where standard output is closed.
  if (leadsNowhere(process.stdout.fd))
    return Promise.reject(
      new CodexlbError(
        "file_unusable",
        "writing to standard output: it leads nowhere, and what is written is shown this once",
        { next: "run it where you can read it, or send it to a file" },
      ),
    );
  return new Promise((resolve, reject) => {
    print(text, (error) => {
      if (!error) return resolve();
      taken.add(error);
      reject(unwritten(error));
    });
  });
}

/** Waits for what a slow reader has not taken yet, which would be lost with the process. */
export async function flushOutput(): Promise<void> {
  await ended(process.stdout);
  // What failed there is told here.
  await ended(process.stderr);
}

// --- internal ---

/** Failures that somebody has been told of. */
const taken = new WeakSet<Error>();
/** Streams that could not be written to. To end such a one never ends, and takes all of the processor (Bun 1.4.5). */
const broken = new WeakSet<NodeJS.WriteStream>();

function ended(stream: NodeJS.WriteStream): Promise<void> {
  if (broken.has(stream)) return Promise.resolve();
  return new Promise((done) => {
    stream.on("error", () => done());
    stream.end(() => done());
  });
}

function leadsNowhere(fd: number): boolean {
  const { rdev } = fstatSync(fd);
  return rdev !== 0 && rdev === statSync(devNull, { throwIfNoEntry: false })?.rdev;
}

function unwritten(error: unknown): CodexlbError {
  return new CodexlbError("file_unusable", `writing to standard output: ${messageOf(error)}`, {
    cause: error,
  });
}
