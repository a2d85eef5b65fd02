// `codexlb proxy`: runs the proxy in the foreground until a signal stops it.

import { constants } from "node:os";
import { defineCommand } from "citty";
import { advised, setAdvisedFlags } from "../../advice.ts";
import { type Daemon, startDaemon } from "../../daemon/daemon.ts";
import { createSupervisor } from "../../daemon/supervisor.ts";
import { untilDrained } from "../../daemon/wait-for-drain.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { hideNoProxy } from "../../network/egress.ts";
import { printMessage } from "../../print.ts";
import { forgetStartFlags, keepStartFlags } from "../../state/start-flags.ts";
import { flagsOfProxy } from "../advised-flags.ts";
import { contextOf, removeNewRoot, reportNewRoot, rootExists } from "../context.ts";
import { withRootLockedExit } from "../run/root-locked.ts";
import { isCompiled } from "../self.ts";
import { restart, start, status, stop } from "./control-commands.ts";
import logs from "./logs-command.ts";
import { overridesOf, PROXY_FLAGS, startFlagsOf } from "./proxy-flags.ts";
import { listenForSignals } from "./proxy-signals.ts";

export default defineCommand({
  meta: { name: "codexlb proxy", description: "Run the proxy that Codex talks to, in the foreground" },
  args: {
    ...PROXY_FLAGS,
    "until-deserted": {
      type: "boolean",
      description: "Exit when no codexlb run uses the proxy any more (codexlb run sets this)",
    },
  },
  subCommands: { start, stop, restart, status, logs },
  run: async ({ args }) => {
    raiseRequestLimit();
    // Listen before the first line of output: its reader may send a signal immediately.
    const signals = listenForSignals();
    const context = contextOf(args.root, { createsRoot: true });
    const { deps, layout } = context;
    const isNewRoot = !rootExists(context);
    hideNoProxy();
    setAdvisedFlags(flagsOfProxy(layout.root, deps.env));
    const early = await Promise.race([signals.stop, untilDrained(layout, deps)]);
    if (early !== undefined) return;
    const supervisor = createSupervisor(deps);
    const daemon = await startDaemon(layout, overridesOf(args), deps).catch((error) => {
      if (isNewRoot) removeNewRoot(context);
      throw args["until-deserted"] ? withRootLockedExit(error) : error;
    });
    try {
      keepStartFlags(layout.startFlags, startFlagsOf(args));
    } catch (error) {
      deps.log.warn(`${messageOf(error)}; a restart after a kill will not use the flags of this proxy`);
    }
    printMessage(
      `codexlb proxy ${daemon.name} listening on ${daemon.listensOn} (upstream=${daemon.upstream}, logs=${layout.events})`,
    );
    if (isNewRoot) reportNewRoot(context);
    deps.log.info(
      daemon.accountCount + daemon.childCount === 0
        ? `no accounts yet; add one with: ${advised("init")}, or: ${advised("account login", "ALIAS")}`
        : `${servedText(daemon)}; ${nextOf(daemon)}`,
    );
    const status = `serves ${servedText(daemon)} on ${daemon.listensOn}`;
    supervisor.ready(status);
    signals.onReload(() => {
      supervisor.reloading();
      const isOther = daemon.reload();
      deps.log.info(`SIGHUP: ${isOther ? `reading ${layout.config}` : `${layout.config} is unchanged`}`);
      supervisor.ready(status);
    });
    const reason = await Promise.race([
      signals.stop,
      daemon.lost,
      ...(args["until-deserted"] ? [daemon.deserted().then(() => "deserted")] : []),
    ]);
    const waiting = drainOf(daemon);
    supervisor.stopping(
      waiting?.message ?? "stopping",
      waiting === undefined ? SHORT_STOP_MS : waiting.withinMs + SHORT_STOP_MS,
    );
    if (waiting !== undefined && reason instanceof CodexlbError) deps.log.warn(reason.message);
    if (waiting !== undefined)
      deps.log.info(`${waiting.message}; a second signal stops the proxy immediately`);
    // The root belongs to another proxy now, or has moved, if the reason is an error.
    if (!(reason instanceof CodexlbError)) forgetStartFlags(layout.startFlags);
    await daemon.stop(reason instanceof CodexlbError ? reason.code : reason, signals.hurry);
    if (reason instanceof CodexlbError) throw reason;
    if (signals.hurry.aborted)
      process.exitCode = 128 + constants.signals[signals.hurry.reason as NodeJS.Signals];
  },
});

// --- internal ---

/** The time that closing idle connections and writing the state may take. */
const SHORT_STOP_MS = 15_000;

/** How to start Codex. `codexlb run` needs two spellings of the address, and an IPv6 address has only one. */
function nextOf({ url }: Daemon): string {
  return url.includes("[")
    ? "codexlb run cannot use an IPv6 address: listen on 127.0.0.1 for it"
    : `run Codex with: ${advised("run")}`;
}

/** `2 accounts and 1 child proxy`. */
function servedText({ accountCount, childCount }: Daemon): string {
  const accounts = `${accountCount} account${accountCount === 1 ? "" : "s"}`;
  const children = `${childCount} child prox${childCount === 1 ? "y" : "ies"}`;
  return childCount === 0 ? accounts : `${accounts} and ${children}`;
}

/** `finishing 2 requests, for at most 30 s`; undefined if the shutdown waits for nothing. */
function drainOf(daemon: Daemon): { readonly message: string; readonly withinMs: number } | undefined {
  const { delayMs, timeoutMs } = daemon.drain();
  const withinMs = delayMs + timeoutMs;
  const count = daemon.inFlight();
  const atMost = `for at most ${timeoutMs / 1000} s`;
  if (delayMs > 0)
    return {
      message: `accepting requests for another ${delayMs / 1000} s, then finishing those in flight, ${atMost}`,
      withinMs,
    };
  if (count === 0) return undefined;
  return { message: `finishing ${count} request${count === 1 ? "" : "s"}, ${atMost}`, withinMs };
}

const LIMIT_VARIABLE = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Bun allows 256 concurrent upstream requests by default, and long turns of many agents come near that. */
const REQUEST_LIMIT = "65336";

/** Starts the executable again with a higher limit, because Bun reads the limit from the environment only at start. */
function raiseRequestLimit(): void {
  if (!isCompiled() || process.env[LIMIT_VARIABLE] !== undefined || typeof process.execve !== "function")
    return;
  process.execve(process.execPath, [process.execPath, ...process.argv.slice(2)], {
    ...process.env,
    [LIMIT_VARIABLE]: REQUEST_LIMIT,
  });
}
