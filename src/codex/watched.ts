// Runs a program without a terminal, passes its output on, and ends it with all processes that it started.

export interface WatchedOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: that of this process. */
  readonly cwd?: string;
  /** Gets the program's standard output and standard error. */
  readonly output: (chunk: Uint8Array) => void;
  /** Ends the program. */
  readonly signal: AbortSignal;
}

/** Time between SIGTERM and SIGKILL. */
const KILL_AFTER_MS = 3_000;

/**
 * Resolves to the exit code once the program and all processes with its output have exited. The program gets its own
 * process group, because npm's `codex` is a script that starts another program. Throws the system's error if it cannot
 * start.
 */
export async function runWatched(
  argv: string[],
  { env, cwd, output, signal }: WatchedOptions,
): Promise<number> {
  signal.throwIfAborted();
  const child = Bun.spawn(argv, {
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  let kill: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    signalGroup(child.pid, "SIGTERM");
    kill = setTimeout(() => signalGroup(child.pid, "SIGKILL"), KILL_AFTER_MS);
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    await Promise.all([child.stdout, child.stderr].map((stream) => copy(stream, output)));
    return await child.exited;
  } finally {
    signal.removeEventListener("abort", end);
    clearTimeout(kill);
  }
}

// --- internal ---

async function copy(from: ReadableStream<Uint8Array>, output: (chunk: Uint8Array) => void): Promise<void> {
  for await (const chunk of from) output(chunk);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // it has exited already
  }
}
