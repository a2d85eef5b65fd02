// Ends Codex when this process is killed in a way that it cannot handle. A shell waits for the end of this process: it is
// small, it is on every system, and in a session of its own no key of the terminal reaches it.

export interface OrphanWatch {
  /** The process `pid` ends when this process ends without a call of `stop`: by SIGTERM, and later SIGKILL. */
  over(pid: number): void;
  /** There is nothing to end any more. */
  stop(): void;
}

/**
 * Starts a watch. It must run before what it watches over, because this process may be killed at any moment. In lists of
 * processes it is `codexlb-watch PID`.
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
    // A watcher that was killed watches over nothing any more, and that must not end this process.
    void Promise.try(() => {
      watcher.stdin.write(`${line}\n`);
      return watcher.stdin.flush();
    }).catch(() => {});
  };
  return { over: (pid) => say(String(pid)), stop: () => say("ended") };
}

// --- internal ---

/** Its $0 is the script that goes on with the process id as its argument. */
const WAIT = 'read -r pid && [ "$pid" != ended ] && exec /bin/sh -c "$0" codexlb-watch "$pid"';

/**
 * Its standard input ends with this process. SIGCONT, because a stopped program handles no other signal; and the id may
 * belong to another program once it was free.
 */
const END = `read -r line && exit
kill -TERM "$1" && kill -CONT "$1" || exit
for second in 1 2 3 4 5; do
  sleep 1
  kill -0 "$1" || exit
done
kill -KILL "$1"`;
