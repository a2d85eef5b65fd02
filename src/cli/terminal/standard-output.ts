// Handles errors of standard output: a full disk is reported, and a closed pipe ends the program silently.

import { fstatSync, statSync } from "node:fs";
import { devNull } from "node:os";
import { CodexlbError, systemCodeOf, systemProblem } from "../../errors.ts";
import { print } from "../../print.ts";
import { report } from "../report-error.ts";

/** From now on a failed write ends the program, silently if the reader closed the pipe. With `serves` it does not. */
export function watchOutput(serves: boolean): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => broken.add(stream));
  process.stdout.on("error", (error) => {
    if (serves || reported.has(error)) return;
    reportWriteError(error);
    void ended(process.stderr).then(() => process.exit());
  });
}

/** Reports a failed write and sets the exit code, unless the reader closed the pipe. */
export function reportWriteError(error: unknown): void {
  if (systemCodeOf(error) !== "EPIPE") process.exitCode = report(writeError(error));
}

/**
 * Prints a `text` that is shown only once, and waits until it is written. Throws `file_unusable` if it cannot be
 * written or goes to /dev/null.
 */
export function printOnce(text: string): Promise<void> {
  // Bun opens /dev/null if standard output is closed.
  if (isNullDevice(process.stdout.fd))
    return Promise.reject(
      new CodexlbError(
        "file_unusable",
        "writing to standard output: it goes to /dev/null, and this output is shown only once",
        { next: "run the command in a terminal, or redirect its output to a file" },
      ),
    );
  return new Promise((resolve, reject) => {
    print(text, (error) => {
      if (!error) return resolve();
      reported.add(error);
      reject(writeError(error));
    });
  });
}

/** Waits until a slow reader has read all output, which would otherwise be lost with the process. */
export async function flushOutput(): Promise<void> {
  await ended(process.stdout);
  // Errors of standard output go to standard error.
  await ended(process.stderr);
}

// --- internal ---

/** Errors that have been reported. */
const reported = new WeakSet<Error>();
/** Streams with failed writes. Ending such a stream never finishes and uses the whole processor (Bun 1.4.5). */
const broken = new WeakSet<NodeJS.WriteStream>();

function ended(stream: NodeJS.WriteStream): Promise<void> {
  if (broken.has(stream)) return Promise.resolve();
  return new Promise((done) => {
    stream.on("error", () => done());
    stream.end(() => done());
  });
}

function isNullDevice(fd: number): boolean {
  const { rdev } = fstatSync(fd);
  return rdev !== 0 && rdev === statSync(devNull, { throwIfNoEntry: false })?.rdev;
}

function writeError(error: unknown): CodexlbError {
  return new CodexlbError("file_unusable", `writing to standard output: ${systemProblem(error)}`, {
    next: "check where the output goes, and whether there is room",
    cause: error,
  });
}
