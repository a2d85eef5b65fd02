// Checks the running proxy and its connections: is it running and of this version, is its port its own, can its backend
// and token endpoint be reached, and does the backend's clock agree with this machine's.

import { existsSync } from "node:fs";
import { z } from "zod";
import { remoteSettings, remoteStatus } from "../../admin/client.ts";
import type { Daemon, RunningDaemon } from "../../admin/daemon.ts";
import { type Door, isProxy } from "../../admin/door.ts";
import { tokenUrlOf } from "../../auth/refresh.ts";
import { parseListen } from "../../core/listen.ts";
import { CodexlbError, connectProblem, messageOf } from "../../errors.ts";
import { optionsToProxy } from "../../network/egress.ts";
import { isTaken } from "../../network/port-probe.ts";
import { readConfig } from "../../state/config-source.ts";
import { tryLock } from "../../state/lock.ts";
import { isNewer, VERSION } from "../../version.ts";
import type { CommandContext } from "../context.ts";
import { type Location, listensAt, urlOf } from "../proxy/locate-proxy.ts";
import { credentialFor } from "../proxy/proxy-credential.ts";
import { KEY_NEXT, letsUsIn } from "../run/runtime-home.ts";
import { restartAdvice } from "../service/running-services.ts";
import { upgradeAdvice } from "../upgrade/upgrade-advice.ts";
import { type ConnectionDeps, examineConnections, outboundOf } from "./connections.ts";
import { type Finding, ok } from "./finding.ts";

/**
 * Examines the proxy at `location`: in full if it is the one of the root, else what can be seen of it from here.
 * `location` is undefined if the settings are invalid; then it is `daemon`, the proxy of the root.
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
  try {
    const { upstream_base_url: backend } = readConfig(layout).proxy;
    return [...absence, ...(await examineConnections(via, backend, tokenUrlOf(deps)))];
  } catch {
    return absence; // another check reports invalid settings
  }
}

// --- internal ---

const CONNECT_TIMEOUT_MS = 5_000;

/** A proxy elsewhere: all that can be seen of it from here is that it answers, and whether it lets us in. */
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
          detail: `${href} answers, but not as a codexlb proxy`,
          remedy: "check the address",
        },
      ];
    // A client that may not read the status does not see the children either.
    const children = await examineChildren(door).catch(() => []);
    const access: Finding = (await letsUsIn(context, location))
      ? ok("access", "it serves codexlb run from here")
      : {
          check: "access",
          status: "bad",
          detail: "it requires a key, and none is set here that it knows",
          remedy: KEY_NEXT,
        };
    return [ok(check, `${href} answers`), access, ...children];
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
  const port = info.draining ? ENDING : await examineAnswer(info.url);
  return [proxy, port, ...(await examineSurroundings(via, door, info.token_url))];
}

/** What the daemon connects to. A daemon of another version may answer in a way that this command does not know. */
async function examineSurroundings(via: ConnectionDeps, door: Door, tokenUrl: string): Promise<Finding[]> {
  try {
    const settings = await remoteSettings(door);
    const backend = settings.find(({ key }) => key === "proxy.upstream_base_url")?.value;
    return [...(await examineConnections(via, String(backend), tokenUrl)), ...(await examineChildren(door))];
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

const ENDING: Finding = {
  check: "port",
  status: "warning",
  detail: "the proxy is shutting down",
  remedy: "start it again: codexlb proxy",
};

/** What the proxy knows of its children. */
async function examineChildren(door: Door): Promise<Finding[]> {
  const { child_proxies } = await remoteStatus(door);
  return child_proxies.map((child): Finding => {
    const { name, url, reachable, last_error: error, cycle, next } = ChildFinding.parse(child);
    const check = `child proxy ${name}`;
    if (error === undefined && cycle === undefined) return ok(check, `${url} answers`);
    if (error === undefined)
      return {
        check,
        status: "warning",
        detail: `${url} answers, and leads back here: ${cycle}; requests do not go round`,
        remedy: "take one of them out of proxy.child_proxy_urls of the other",
      };
    const remedy = next ?? (reachable ? "look at codexlb status there" : "start it, or check the network");
    return { check, status: reachable ? "warning" : "bad", detail: `${url}: ${error}`, remedy };
  });
}

const ChildFinding = z.looseObject({
  name: z.string(),
  url: z.string(),
  reachable: z.boolean(),
  last_error: z.string().optional(),
  cycle: z.string().optional(),
  next: z.string().optional(),
});

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
      remedy: "look at codexlb proxy logs",
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
  if (lock === "held")
    return [
      {
        check: "proxy",
        status: "bad",
        detail: `a process owns ${layout.root}, but it does not answer on ${layout.adminSocket}`,
        remedy: "end it, and start codexlb proxy again",
      },
    ];
  const none = ok("proxy", "none runs on this root; start it with: codexlb proxy");
  const listen = listenOf(layout);
  if (listen === undefined) return [none];
  const taken = await isTaken(listen);
  if (!taken) return [none, ok("port", `${listen.host}:${listen.port} is free`)];
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

function lockOf(path: string): "free" | "held" {
  // Looking must not make it.
  if (!existsSync(path)) return "free";
  try {
    const lock = tryLock(path);
    lock?.release();
    return lock === undefined ? "held" : "free";
  } catch {
    return "free"; // no root, so nobody owns it
  }
}

function listenOf(layout: CommandContext["layout"]) {
  try {
    return parseListen(readConfig(layout).proxy.listen);
  } catch {
    return undefined; // another check reports invalid settings
  }
}
