// Finds the proxy of a run: the named one, the one on the root, or a new one, which exits after the last run that uses
// it.

import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import { socketDoor, through } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { CodexlbError } from "../../errors.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";
import { startInBackground } from "../proxy/background.ts";
import { type Location, locate } from "../proxy/locate-proxy.ts";
import { addressOf, type ProxyAddress } from "./proxy-address.ts";
import { requireAccounts } from "./require-proxy.ts";

/** The proxy of a run. */
export interface RunProxy extends ProxyAddress {
  /** Reports the end of the run, so that a proxy that was started for runs can exit. */
  leave(): void;
}

/**
 * The proxy of a run. If none is named and none is running on the root, one is started if `autoStart` is true (default:
 * true on a terminal). Throws `no_accounts` if it would have no accounts, `listen_failed` if it does not start, and
 * what `addressOf` throws.
 */
export async function proxyForRun(
  context: CommandContext,
  location: Location,
  autoStart: boolean | undefined,
): Promise<RunProxy> {
  if (location.kind === "named") {
    if (autoStart)
      context.deps.log.warn(`--auto-start is ignored, because ${location.named.by} names a proxy`);
    return { ...(await addressOf(context, location)), leave: () => {} };
  }
  const isWanted = autoStart ?? (process.stdin.isTTY === true && process.stderr.isTTY === true);
  const address = await addressOf(context, isWanted ? await started(context, location) : location);
  return { ...address, leave: await enter(context.layout.adminSocket) };
}

// --- internal ---

/** The longest start of a proxy, in ms. */
const START_MS = 20_000;
const RETRY_MS = 100;
const ANSWER_MS = 1_000;

/** False if the root has no proxy that accepts requests: none is running, or it is shutting down. */
function isTaken(daemon: Daemon): boolean {
  // A stopped proxy still owns the root; `addressOf` reports it.
  if (daemon.kind !== "answers") return daemon.kind === "silent";
  try {
    return !daemon.info().draining;
  } catch {
    return false; // a proxy of another version
  }
}

/** The location of the root's proxy, which is started if none is running. */
async function started(context: CommandContext, location: Location): Promise<Location> {
  if (isTaken(location.daemon)) return location;
  await start(context, location.daemon);
  return locate(context, {});
}

async function start(context: CommandContext, daemon: Daemon): Promise<void> {
  const { deps, layout } = context;
  const { proxy } = await configOf(context);
  await requireAccounts(context);
  deps.log.info(
    daemon.kind === "answers"
      ? "the running proxy is shutting down; starting a new one for this run"
      : "no proxy is running; starting one for this run (--auto-start=false: do not)",
  );
  const deadlineMs =
    deps.clock.now() + START_MS + (proxy.drain_delay_seconds + proxy.drain_timeout_seconds) * 1000;
  for (;;) {
    const failure = await startInBackground(context, ["--until-deserted"]);
    if (failure === undefined) return;
    // Another run may have started a proxy at the same moment, or the old one is still shutting down.
    if (isTaken(await daemonAt(layout.adminSocket))) return;
    if (!failure.isRootLocked || deps.clock.now() > deadlineMs)
      throw new CodexlbError("listen_failed", `starting a proxy for this run: ${failure.why}`, {
        next: failure.next ?? `start it yourself for details: ${advised("proxy")}`,
      });
    await Bun.sleep(RETRY_MS);
  }
}

/** Registers this run with the proxy of the root until the returned function is called or this process exits. */
async function enter(socket: string): Promise<() => void> {
  const leaving = new AbortController();
  const door = socketDoor(socket);
  const entered = through(door)(`${door.url}/admin/presence`, { signal: leaving.signal })
    .then(
      (response) =>
        void response.body
          ?.getReader()
          .read()
          .catch(() => {}),
    )
    .catch(() => {}); // no daemon on this root: another proxy is used
  // A stopped proxy gets the message later.
  await Promise.race([entered, Bun.sleep(ANSWER_MS)]);
  return () => leaving.abort();
}
