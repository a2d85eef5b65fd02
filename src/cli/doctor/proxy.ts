// Checks the proxy: is it running, does its version match, does it answer on its port, and can it reach its hosts.

import { existsSync } from "node:fs";
import { remoteSettings, remoteStatus } from "../../admin/client.ts";
import type { Daemon, RunningDaemon } from "../../admin/daemon.ts";
import { type Door, isProxy } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { tokenUrlOf } from "../../auth/refresh.ts";
import { parseListen } from "../../core/listen.ts";
import type { Clock } from "../../deps.ts";
import { CodexlbError, connectProblem, messageOf } from "../../errors.ts";
import { optionsToProxy } from "../../network/egress.ts";
import { isTaken, listenError } from "../../network/port-probe.ts";
import type { ParsedConfig } from "../../state/config.ts";
import { effectiveConfig, readConfig, readConfigFile } from "../../state/config-source.ts";
import { tryLock } from "../../state/lock.ts";
import type { Config } from "../../state/settings.ts";
import { isNewer, VERSION } from "../../version.ts";
import type { CommandContext } from "../context.ts";
import { type Location, listensAt, urlOf } from "../proxy/locate-proxy.ts";
import { credentialFor } from "../proxy/proxy-credential.ts";
import { isAdmitted, KEY_NEXT } from "../run/runtime-home.ts";
import { restartAdvice } from "../service/running-services.ts";
import { upgradeAdvice } from "../upgrade/upgrade-advice.ts";
import { examineUnusedAnchoring } from "./anchoring.ts";
import { type ConnectionDeps, examineConnections, outboundOf } from "./connections.ts";
import { type Finding, ok } from "./finding.ts";
import { examineStatus } from "./pool.ts";

/**
 * Checks the proxy at `location`: completely if it is the root's own, otherwise only from outside. `location` is
 * undefined if the settings are invalid; then `daemon`, the proxy of the root, is checked.
 */
export async function examineProxy(
  context: CommandContext,
  location: Location | undefined,
  daemon: Daemon,
): Promise<Finding[]> {
  const { deps, layout } = context;
  if (location?.kind === "named" && !listensAt(daemon, location.named.url))
    return examineNamed(context, location);
  const via: ConnectionDeps = { clock: deps.clock, outbound: outboundOf(context) };
  if (daemon.kind === "answers") return examineDaemon(context, via, daemon);
  const absence = await examineAbsence(context);
  let file: ParsedConfig;
  try {
    file = readConfigFile(layout);
  } catch {
    return absence; // another check reports invalid settings
  }
  return [...absence, ...(await examineStart(context, via, file))];
}

// --- internal ---

/** Checks what a proxy would use that starts with the settings of `file` in this environment. */
async function examineStart(
  { deps }: CommandContext,
  via: ConnectionDeps,
  file: ParsedConfig,
): Promise<Finding[]> {
  let config: Config;
  try {
    config = effectiveConfig(file, {}, deps.env).config;
  } catch (error) {
    return [{ check: "backend", status: "bad", detail: messageOf(error), remedy: "correct the variable" }];
  }
  const { upstream_base_url: backend } = config.proxy;
  return [...examineUnusedAnchoring(config), ...(await examineConnections(via, backend, tokenUrlOf(deps)))];
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Checks another proxy: whether it answers, and whether it accepts this client. */
async function examineNamed(
  context: CommandContext,
  location: Extract<Location, { kind: "named" }>,
): Promise<Finding[]> {
  const check = "proxy";
  const href = urlOf(location);
  try {
    const door = {
      url: href,
      credential: credentialFor(context, { url: href, isNamed: true }, undefined),
      timeoutMs: CONNECT_TIMEOUT_MS,
    };
    if (!(await isProxy(door)))
      return [
        {
          check,
          status: "bad",
          detail: `${href} answers, but is not a codexlb proxy`,
          remedy: `check ${location.named.by}`,
        },
      ];
    // A client without access to the status sees neither the pool nor its children.
    const pool = await remoteStatus(door).then(
      (status) => examineStatus(status, context.deps.clock.now()),
      () => [],
    );
    const access: Finding = (await isAdmitted(context, location))
      ? ok("access", "the proxy accepts codexlb run from this machine")
      : {
          check: "access",
          status: "bad",
          detail: "the proxy requires a client key, and no valid one is set here",
          remedy: KEY_NEXT,
        };
    return [ok(check, `${href} answers`), access, ...pool];
  } catch (error) {
    const remedy = `start it there with: codexlb proxy, or check ${location.named.by}`;
    return [{ check, status: "bad", detail: `${href}: ${connectProblem(error)}`, remedy }];
  }
}

async function examineDaemon(
  { deps }: CommandContext,
  via: ConnectionDeps,
  { door, ...daemon }: RunningDaemon,
): Promise<Finding[]> {
  const info = daemon.info();
  const what = `${info.name} on ${info.url}, process ${info.pid}`;
  const proxy: Finding =
    info.version === VERSION
      ? ok("proxy", what)
      : {
          check: "proxy",
          status: "warning",
          detail: `${what}, runs version ${info.version}, and this command is version ${VERSION}`,
          remedy: isNewer(info.version)
            ? await upgradeAdvice(info.version, deps)
            : await restartAdvice(info.pid, deps),
        };
  const port = info.draining ? ending() : await examineAnswer(info.url);
  return [proxy, port, ...(await examineSurroundings(deps.clock, via, door, info.token_url))];
}

/** Checks the hosts and children of the daemon. A daemon of another version may answer in an unknown form. */
async function examineSurroundings(
  clock: Clock,
  via: ConnectionDeps,
  door: Door,
  tokenUrl: string,
): Promise<Finding[]> {
  try {
    const settings = await remoteSettings(door);
    const backend = settings.find(({ key }) => key === "proxy.upstream_base_url")?.value;
    return [
      ...(await examineConnections(via, String(backend), tokenUrl)),
      ...examineStatus(await remoteStatus(door), clock.now()),
    ];
  } catch (error) {
    const remedy = error instanceof CodexlbError ? error.next : undefined;
    return [
      {
        check: "admin API",
        status: "bad",
        detail: messageOf(error),
        ...(remedy === undefined ? {} : { remedy }),
      },
    ];
  }
}

/** The finding of a proxy that is shutting down. */
function ending(): Finding {
  return {
    check: "port",
    status: "warning",
    detail: "the proxy is shutting down",
    remedy: `start it again: ${advised("proxy start")}`,
  };
}

async function examineAnswer(url: string): Promise<Finding> {
  try {
    const response = await fetch(`${url}/healthz`, {
      ...optionsToProxy(url),
      signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.ok) return ok("port", `${url} answers`);
    return {
      check: "port",
      status: "bad",
      detail: `${url} answers ${response.status}`,
      remedy: `see: ${advised("proxy logs")}`,
    };
  } catch (error) {
    return {
      check: "port",
      status: "bad",
      detail: `${url}: ${connectProblem(error)}`,
      remedy: "restart the proxy",
    };
  }
}

async function examineAbsence({ layout }: CommandContext): Promise<Finding[]> {
  const lock = lockOf(layout.lock);
  if (lock instanceof Error)
    return [
      {
        check: "proxy",
        status: "bad",
        detail: `whether a proxy is running is unknown: ${messageOf(lock)}`,
        remedy: "run this command as the user that owns the root",
      },
    ];
  if (lock === "held")
    return [
      {
        check: "proxy",
        status: "bad",
        detail: `a process owns ${layout.root}, but it does not answer on ${layout.adminSocket}`,
        remedy: `stop it, and start ${advised("proxy")} again`,
      },
    ];
  const none = ok("proxy", `no proxy is running on this root; start one with: ${advised("proxy start")}`);
  const listen = listenOf(layout);
  if (listen === undefined) return [none];
  if (!isTaken(await listenError(listen))) return [none, ok("port", `${listen.host}:${listen.port} is free`)];
  return [
    none,
    {
      check: "port",
      status: "warning",
      detail: `another program listens on ${listen.host}:${listen.port}`,
      remedy: "stop it, or set proxy.listen in config.toml to another address",
    },
  ];
}

function lockOf(path: string): "free" | "held" | Error {
  // A check must not create the file.
  if (!existsSync(path)) return "free";
  try {
    const lock = tryLock(path);
    lock?.release();
    return lock === undefined ? "held" : "free";
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function listenOf(layout: CommandContext["layout"]) {
  try {
    return parseListen(readConfig(layout).proxy.listen);
  } catch {
    return undefined; // another check reports invalid settings
  }
}
