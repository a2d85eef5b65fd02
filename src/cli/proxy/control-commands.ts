// `codexlb proxy start|stop|restart|status`: the proxy in the background, or the service that runs it.

import { join } from "node:path";
import { defineCommand } from "citty";
import type { ProxyAnswer } from "../../admin/answers.ts";
import { remoteSettings } from "../../admin/client.ts";
import { type Daemon, daemonAt, runningProxy } from "../../admin/daemon.ts";
import { advised } from "../../advice.ts";
import { CodexlbError } from "../../errors.ts";
import { printJson, printMessage } from "../../print.ts";
import { quote } from "../../quote.ts";
import { requireStartable, requireStartableProxy } from "../../service/start-check.ts";
import { readConfigFile, type ShownSetting } from "../../state/config-source.ts";
import { readStartFlags } from "../../state/start-flags.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { configWarnings } from "../config/config-warnings.ts";
import {
  type CommandContext,
  contextOf,
  createRoot,
  removeNewRoot,
  rootExists,
  warnOfMissingRoot,
} from "../context.ts";
import { type FoundService, foundServices } from "../service/running-services.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { BACKGROUND_LOG, startInBackground } from "./background.ts";
import {
  flagsIn,
  type IgnoredFlag,
  ignoredFlags,
  ignoredText,
  keptFlags,
  serviceRemedy,
} from "./flag-notes.ts";
import { type GivenProxyFlags, overlaid, overridesOf, PROXY_FLAGS, wordsOf } from "./proxy-flags.ts";
import { stopProcess } from "./stop-process.ts";

export const start = defineCommand({
  meta: {
    name: "codexlb proxy start",
    description: "Start the proxy in the background, or its service if one is installed",
  },
  args: PROXY_FLAGS,
  run: async ({ args }) => {
    const context = contextOf(args.root, { createsRoot: true });
    const daemon = await daemonAt(context.layout.adminSocket);
    const running = runningOf(daemon, context);
    if (running !== undefined && !running.draining) {
      printMessage(`the proxy ${nameOf(running)} is already running`);
      const service = (await foundServices(context.deps)).find(({ pid }) => pid === running.pid);
      const ignored = ignoredFlags(args, await settingsOf(daemon), context.deps.env);
      if (ignored.length > 0)
        context.deps.log.warn(ignoredText(ignored, service?.manager.command("install")));
      return;
    }
    await startProxy(context, args);
  },
});

export const stop = defineCommand({
  meta: {
    name: "codexlb proxy stop",
    description: "Stop the proxy after requests in flight have finished",
  },
  args: { ...ROOT_FLAG },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    const running = runningOf(await daemonAt(context.layout.adminSocket), context);
    if (running === undefined) return printMessage(`no proxy is running on ${context.layout.root}`);
    await stopProxy(context, running);
  },
});

export const restart = defineCommand({
  meta: {
    name: "codexlb proxy restart",
    description:
      "Restart the proxy, with the flags it was started with, after requests in flight have finished",
  },
  args: PROXY_FLAGS,
  run: async ({ args }) => {
    const context = contextOf(args.root, { createsRoot: true });
    const daemon = await daemonAt(context.layout.adminSocket);
    const running = runningOf(daemon, context);
    if (running === undefined) return startAgain(context, args);
    const service = (await foundServices(context.deps)).find(({ pid }) => pid === running.pid);
    if (service !== undefined) {
      refuseFlags(service, ignoredFlags(args, await settingsOf(daemon), context.deps.env));
      await requireStartable(service.service);
      warnOfConfig(context);
      await waitingFor("restarting the service", service.restart());
      return printMessage("restarted the proxy and its service");
    }
    const { deps, layout } = context;
    const before = flagsIn(await settingsOf(daemon));
    const flags = overlaid(before, args);
    await requireStartableProxy({
      what: "the new proxy",
      layout,
      flags: overridesOf(flags),
      env: deps.env,
    });
    await stopProxy(context, running);
    await startProxy(context, flags);
    for (const note of keptFlags({ before, given: args, file: readConfigFile(layout), env: deps.env }))
      deps.log.info(note);
  },
});

export const status = defineCommand({
  meta: {
    name: "codexlb proxy status",
    description: "Show whether a proxy is running on the root (codexlb status shows its accounts)",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    const { root, adminSocket } = context.layout;
    const running = runningOf(await daemonAt(adminSocket), context);
    if (args.json) printJson({ running: running !== undefined, ...running }, 2);
    if (running === undefined)
      throw new CodexlbError("proxy_unreachable", `no proxy is running on ${root}`, {
        next: `start one with: ${advised("proxy start")}`,
      });
    if (args.json) return;
    const since = `${new Date(running.started_at_ms).toISOString().slice(0, 16)}Z`;
    printMessage(
      `the proxy ${nameOf(running)} ${running.draining ? "is shutting down; it has been running" : "has been running"} since ${since}, version ${running.version}`,
    );
  },
});

// --- internal ---

/** The facts about the proxy on the root; undefined if none is running. Throws `proxy_unreachable` if it is silent. */
function runningOf(daemon: Daemon, { layout }: CommandContext): ProxyAnswer | undefined {
  if (daemon.kind === "silent")
    throw new CodexlbError(
      "proxy_unreachable",
      `the proxy on ${layout.root} is running but does not answer`,
      { next: "find its process with: pgrep -fl codexlb; if it hangs, end it with: kill -9 PID" },
    );
  return daemon.kind === "answers" ? daemon.info() : undefined;
}

/** `edge on http://127.0.0.1:8765 (process 4711)`. */
function nameOf({ name, url, pid }: ProxyAnswer): string {
  return `${name} on ${url} (process ${pid})`;
}

/** The settings of a running proxy. */
async function settingsOf(daemon: Daemon): Promise<readonly ShownSetting[]> {
  return daemon.kind === "answers" ? remoteSettings(daemon.door) : [];
}

/** Prints the warnings about config.toml, which the proxy itself writes only to its own output. */
function warnOfConfig(context: CommandContext): void {
  try {
    for (const warning of configWarnings(context)) context.deps.log.warn(warning);
  } catch {
    // The start fails, and names what is not valid.
  }
}

/** Throws `usage` if there are `flags`, because a service starts its proxy with the flags in its own file. */
function refuseFlags({ manager }: FoundService, flags: readonly IgnoredFlag[]): void {
  if (flags.length === 0) return;
  const names = flags.map(({ flag }) => flag).join(", ");
  throw new CodexlbError(
    "usage",
    `the service in ${manager.file} runs the proxy on this root, and would ignore ${names}`,
    {
      next: `leave ${flags.length === 1 ? "the flag" : "the flags"} out, or change it for the service: ${serviceRemedy(flags, manager.command("install"))}`,
    },
  );
}

async function startProxy(context: CommandContext, flags: GivenProxyFlags): Promise<void> {
  const { deps, layout } = context;
  warnOfConfig(context);
  const service = (await foundServices(deps)).find((one) => one.service.root === layout.root);
  if (service !== undefined) {
    refuseFlags(service, ignoredFlags(flags, [], deps.env));
    await waitingFor("starting the service", service.restart());
    return printMessage("started the proxy as its service");
  }
  const isNewRoot = !rootExists(context);
  createRoot(context);
  const words = wordsOf(flags);
  const failure = await waitingFor("starting the proxy", startInBackground(context, words));
  if (failure !== undefined) {
    if (isNewRoot) removeNewRoot(context);
    throw new CodexlbError("listen_failed", `starting the proxy: ${failure.why}`, {
      next: failure.next ?? `start it in the foreground for details: ${advised("proxy", ...words)}`,
    });
  }
  const running = await runningProxy(layout.adminSocket);
  printMessage(`started the proxy${running === undefined ? "" : ` ${nameOf(running)}`}`);
  deps.log.info(
    `its output goes to ${join(layout.logs, BACKGROUND_LOG)}; stop it with: ${advised("proxy stop")}`,
  );
}

/** Starts a proxy where none is running: with the flags of the last one, if that was killed. */
async function startAgain(context: CommandContext, given: GivenProxyFlags): Promise<void> {
  const { deps, layout } = context;
  const isService = (await foundServices(deps)).some(({ service }) => service.root === layout.root);
  const before = isService ? undefined : readStartFlags(layout.startFlags);
  if (before === undefined) return startProxy(context, given);
  deps.log.info(
    `the last proxy on ${layout.root} ended without shutting down; starting with its flags: ${wordsOf(before).map(quote).join(" ")}`,
  );
  await startProxy(context, overlaid(before, given));
  for (const note of keptFlags({ before, given, file: readConfigFile(layout), env: deps.env }))
    deps.log.info(note);
}

async function stopProxy(context: CommandContext, running: ProxyAnswer): Promise<void> {
  const service = (await foundServices(context.deps)).find(({ pid }) => pid === running.pid);
  if (service === undefined) {
    await waitingFor("stopping the proxy", stopProcess(context, running.pid));
    return printMessage(`stopped the proxy ${nameOf(running)}`);
  }
  await waitingFor("stopping the service", service.pause());
  printMessage(`stopped the proxy ${nameOf(running)} and its service`);
  context.deps.log.info(
    `the service starts again when you log in; to remove it: ${service.manager.command("uninstall")}`,
  );
}
