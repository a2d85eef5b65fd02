// Stops the process of a proxy, and waits until another one can use its root.

import { CodexlbError, systemProblem } from "../../errors.ts";
import { readTextIfPresent } from "../../state/atomic-file.ts";
import { tryLock } from "../../state/lock.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";

/**
 * Sends SIGTERM to the process `pid` of the proxy on the root. Resolves when the root is free. Throws `root_locked` if
 * that takes longer than `drain_delay_seconds`, `drain_timeout_seconds` and 20 s, and `not_found` for a process of another machine.
 */
export async function stopProcess(context: CommandContext, pid: number): Promise<void> {
  const { deps, layout } = context;
  const { proxy } = await configOf(context);
  if (!isProxy(pid)) throw elsewhere(pid, "it is not a process of this machine");
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    throw elsewhere(pid, systemProblem(error));
  }
  const limitMs = (proxy.drain_delay_seconds + proxy.drain_timeout_seconds) * 1000 + CLOSING_MS;
  const deadlineMs = deps.clock.monotonic() + limitMs;
  while (deps.clock.monotonic() < deadlineMs) {
    const lock = tryLock(layout.lock);
    lock?.release();
    if (lock !== undefined) return;
    await Bun.sleep(POLL_MS);
  }
  throw new CodexlbError("root_locked", `the proxy (process ${pid}) did not stop in ${limitMs / 1000} s`, {
    next: `end it with: kill -9 ${pid}`,
  });
}

// --- internal ---

/** The time that closing idle connections and writing the state may take. */
const CLOSING_MS = 20_000;
const POLL_MS = 50;

/**
 * False if `pid` is another program. The proxy may run in a container that shares the root, where its process has
 * another number. Without /proc, the number is trusted.
 */
function isProxy(pid: number): boolean {
  if (process.platform !== "linux") return true;
  try {
    return readTextIfPresent(`/proc/${pid}/cmdline`)?.split("\0").includes("proxy") ?? false;
  } catch {
    return true; // a process of another user, which kill reports
  }
}

function elsewhere(pid: number, why: string): CodexlbError {
  return new CodexlbError("not_found", `stopping the proxy (process ${pid}): ${why}`, {
    next: "stop the container or the service that runs it",
  });
}
