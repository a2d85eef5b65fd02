// The proxy of a run: the one that is named, the one that runs on the root, or one that is started for this run and ends
// with the last run that uses it.

import { closeSync, fstatSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { remoteInfo } from "../../admin/client.ts";
import { daemonAnswers, socketDoor, through } from "../../admin/door.ts";
import { CodexlbError } from "../../errors.ts";
import { makePrivateDirectory } from "../../state/atomic-file.ts";
import { openLocalStore } from "../accounts.ts";
import { type CommandContext, configOf, namedProxy, runsHere } from "../context.ts";
import { selfCommand } from "../self.ts";
import { addressOf, type ProxyAddress } from "./proxy-address.ts";

export interface RunProxy extends ProxyAddress {
  /** The run is over: a proxy that was started for runs may end. */
  leave(): void;
}

/**
 * The proxy for a run; `flag` is `--proxy-url`. One that nobody named is started when it does not run and `autoStart`
 * is set; undefined: on a terminal. Throws `no_accounts` when it would have none, `listen_failed` when it does not start,
 * and what `addressOf` throws.
 */
export async function proxyForRun(
  context: CommandContext,
  flag: string | undefined,
  autoStart: boolean | undefined,
): Promise<RunProxy> {
  const { deps, layout } = context;
  const { proxy } = await configOf(context);
  const named = await namedProxy(context, flag);
  if (named !== undefined && autoStart)
    deps.log.warn(`--auto-start is of no use: ${named.by} names a proxy, and run starts none in its place`);
  const isWanted = autoStart ?? (process.stdin.isTTY === true && process.stderr.isTTY === true);
  if (named === undefined && isWanted && !(await serves(context)))
    await start(context, proxy.child_proxy_urls.length > 0);
  const address = await addressOf(context, flag);
  return { ...address, leave: named === undefined ? await enter(layout.adminSocket) : () => {} };
}

// --- internal ---

/** How long a proxy may take to start. */
const START_MS = 20_000;
const RETRY_MS = 100;
const LOG_BYTES = 64 * 1024;
const ANSWER_MS = 1_000;

/** Whether the proxy on the root accepts requests. A proxy that is shutting down does not. */
async function serves(context: CommandContext): Promise<boolean> {
  const { layout } = context;
  if (!(await runsHere(context))) return false;
  const info = await remoteInfo(socketDoor(layout.adminSocket)).catch(() => undefined);
  return info?.draining === false;
}

async function start(context: CommandContext, hasChildren: boolean): Promise<void> {
  const { deps, layout } = context;
  const { proxy } = await configOf(context);
  const { state } = openLocalStore(context, true, proxy.upstream_base_url);
  if (state.accounts.length === 0 && !hasChildren)
    throw new CodexlbError("no_accounts", "there are no accounts yet that Codex could use", {
      next: "add one with: codexlb account login ALIAS, or: codexlb account import",
    });
  deps.log.info(
    (await daemonAnswers(layout.adminSocket))
      ? "the running proxy is shutting down; starting a new one that ends with this run"
      : "no proxy runs; starting one that ends with this run (--auto-start=false: do not)",
  );
  const deadlineMs = deps.clock.now() + START_MS + proxy.drain_timeout_seconds * 1000;
  for (;;) {
    const failure = await startOnce(context);
    // Another run may have started a proxy at the same moment, or the old one is still shutting down.
    if (failure === undefined || (await serves(context))) return;
    if (!failure.includes("another codexlb") || deps.clock.now() > deadlineMs)
      throw new CodexlbError("listen_failed", `starting a proxy for this run: ${failure}`, {
        next: `start it yourself to see more: codexlb proxy --root ${layout.root}`,
      });
    await Bun.sleep(RETRY_MS);
  }
}

/** Resolves when it listens, behind one that finishes its last requests, or to why it does not. It has no terminal: what it says is in ROOT/logs. */
async function startOnce({ layout, deps }: CommandContext): Promise<string | undefined> {
  makePrivateDirectory(layout.logs);
  const said = join(layout.logs, "auto-start.log");
  if ((statSync(said, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) rmSync(said);
  // Several runs may start one at the same moment.
  const file = openSync(said, "a", 0o600);
  const before = fstatSync(file).size;
  try {
    const child = Bun.spawn([...selfCommand(), "proxy", "--root", layout.root, "--until-deserted"], {
      env: deps.env,
      cwd: layout.root,
      stdin: "ignore",
      stdout: "pipe",
      stderr: file,
      // In a group of its own: the keys of this terminal are for Codex.
      detached: true,
    });
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    if (done) {
      await child.exited;
      const lines = readFileSync(said).subarray(before).toString().split("\n");
      const line = lines.findLast(
        (one) => one.startsWith("codexlb: ") && !one.startsWith("codexlb: warning"),
      );
      return line?.slice("codexlb: ".length) ?? "it ended at once";
    }
    void reader.cancel();
    child.unref();
    return undefined;
  } finally {
    closeSync(file);
  }
}

/** Tells the proxy of the root that it is used, until the returned function is called or this process ends. */
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
    .catch(() => {}); // nobody there: a proxy elsewhere is used
  // One that is stopped at this moment hears of it later.
  await Promise.race([entered, Bun.sleep(ANSWER_MS)]);
  return () => leaving.abort();
}
