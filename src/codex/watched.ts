// Runs a program without a terminal, shows what it says, and ends it with everything that it started.

export interface WatchedOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: that of this process. */
  readonly cwd?: string;
  /** Gets what it says, both of its outputs. */
  readonly output: (chunk: Uint8Array) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** One that does not end when asked to is ended. */
const KILL_AFTER_MS = 3_000;

/**
 * Resolves to its exit code when it and all that it gave its outputs to have ended. It gets a group of its own, for
 * the `codex` of npm is a script that starts another program. Throws what the system says when it cannot be started.
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
    // it has ended by itself
  }
}
