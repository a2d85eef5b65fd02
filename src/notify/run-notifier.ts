// Runs a program that sends a notification: without a shell, with a small environment, and with bounds on time and
// output.

import { withoutEmails } from "../core/notify/notice.ts";
import { systemCodeOf, systemProblem } from "../errors.ts";
import { shortLine } from "../printable.ts";
import { type ChannelContext, deadline } from "./channel.ts";

export interface NotifierInput {
  /** Written to standard input; undefined: it is empty. */
  readonly stdin?: string;
  /** Additional variables of the environment. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** The longest run of a program. */
export const PROGRAM_MS = 30_000;

/**
 * Runs `argv` and resolves to the reason why it failed; undefined if it exited with 0. The program gets a process group
 * of its own, which is killed after `PROGRAM_MS`, or when `signal` is aborted. Its standard output is ignored.
 */
export async function runNotifier(
  argv: readonly string[],
  { stdin = "", variables = {} }: NotifierInput,
  { clock, env }: Pick<ChannelContext, "clock" | "env">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [program = ""] = argv;
  let child: Bun.Subprocess<Uint8Array, "ignore", "pipe">;
  try {
    child = Bun.spawn([...argv], {
      env: { ...smallEnvironment(env), ...variables },
      cwd: "/",
      stdin: new TextEncoder().encode(stdin),
      stdout: "ignore",
      stderr: "pipe",
      detached: true,
    });
  } catch (error) {
    return `${shortLine(program, LONGEST_NAME)}: ${systemCodeOf(error) === "ENOENT" ? "command not found" : systemProblem(error)}`;
  }
  const limit = deadline(clock, PROGRAM_MS, signal);
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group has just exited.
    }
  };
  if (limit.signal.aborted) kill();
  limit.signal.addEventListener("abort", kill, { once: true });
  const errors = firstOutput(child.stderr);
  const code = await child.exited;
  limit.end();
  limit.signal.removeEventListener("abort", kill);
  if (limit.isLate()) return `no result within ${PROGRAM_MS / 1000} s`;
  if (signal.aborted) return "interrupted";
  if (code === 0) return undefined;
  // A process that the program started may keep the pipe open.
  const line = await Promise.race([errors, Bun.sleep(LAST_OUTPUT_MS).then(() => "")]);
  return line === "" ? `exit code ${code}` : line;
}

// --- internal ---

/** How much of the standard error is read; the rest is discarded. */
const MOST_OUTPUT_BYTES = 4 * 1024;
const LONGEST_LINE = 200;
const LONGEST_NAME = 100;
const LAST_OUTPUT_MS = 200;

/**
 * The variables that a program gets. A notification may pass through others' scripts, so keys and tokens in the
 * proxy's environment stay here.
 */
const VARIABLES: readonly RegExp[] = [
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|LANGUAGE|LC_[A-Z]+)$/,
  // The desktop of the user.
  /^(?:DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS)$/,
];

function smallEnvironment(env: ChannelContext["env"]): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => VARIABLES.some((pattern) => pattern.test(name))),
  );
}

/** The first line that is not blank. Reads to the end, so that the program can write as much as it likes. */
async function firstOutput(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  try {
    for await (const chunk of stream) {
      if (size < MOST_OUTPUT_BYTES)
        text += decoder.decode(chunk.subarray(0, MOST_OUTPUT_BYTES - size), { stream: true });
      size += chunk.byteLength;
    }
  } catch {
    // What was read so far is enough.
  }
  const line = text.split("\n").find((candidate) => candidate.trim() !== "") ?? "";
  return withoutEmails(shortLine(line.trim(), LONGEST_LINE));
}
