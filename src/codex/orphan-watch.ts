// Ends Codex when this process is killed by a signal that it cannot handle. A shell waits for this process to end: it
// is small, exists on every system, and in its own session gets no keys from the terminal.

export interface OrphanWatch {
  /** Ends process `pid` by SIGTERM, later SIGKILL, if this process ends without calling `stop`. */
  over(pid: number): void;
  /** Cancels the watch. */
  stop(): void;
}

/**
 * Starts a watch. Start it before the watched program, because this process may be killed at any moment. Process lists
 * show it as `codexlb-watch PID`.
 */
export function startOrphanWatch(): OrphanWatch {
  const watcher = Bun.spawn(["/bin/sh", "-c", WAIT, END], {
    env: { PATH: "/usr/bin:/bin" },
    cwd: "/",
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  });
  watcher.unref();
  const say = (line: string) => {
    // Writing to a watcher that was killed fails, which must not end this process.
    void Promise.try(() => {
      watcher.stdin.write(`${line}\n`);
      return watcher.stdin.flush();
    }).catch(() => {});
  };
  return { over: (pid) => say(String(pid)), stop: () => say("ended") };
}

// --- internal ---

/** Its $0 is the script that continues with the process id as its argument. */
const WAIT = 'read -r pid && [ "$pid" != ended ] && exec /bin/sh -c "$0" codexlb-watch "$pid"';

/**
 * Its standard input closes when this process ends. A stopped program handles SIGTERM only after SIGCONT. The script
 * exits once the id is free, because another program may get that id.
 */
const END = `read -r line && exit
kill -TERM "$1" && kill -CONT "$1" || exit
for second in 1 2 3 4 5; do
  sleep 1
  kill -0 "$1" || exit
done
kill -KILL "$1"`;
