// The output of `codexlb service status`: the state of the service, and the proxy that answers on its root.

import { runningProxy } from "../../admin/daemon.ts";
import { CodexlbError } from "../../errors.ts";
import { installedService, otherServices } from "../../service/installed.ts";
import type { ServiceManager } from "../../service/service.ts";
import { layoutOf } from "../../state/layout.ts";
import { isNewer, VERSION } from "../../version.ts";

/** The JSON of `codexlb service status --json`; null means unknown or missing. */
export interface ServiceStatus {
  readonly manager: string;
  readonly file: string;
  readonly installed: boolean;
  /** Whether this program wrote the file; false if the Go program or a person did. */
  readonly ours: boolean;
  readonly enabled: boolean;
  readonly running: boolean;
  readonly pid: number | null;
  readonly detail: string;
  readonly binary: string | null;
  readonly root: string | null;
  /** The proxy that answers on the root, even if the service did not start it. */
  readonly proxy: { readonly version: string; readonly url: string; readonly pid: number } | null;
  /** Other service files for the same proxy. */
  readonly others: readonly string[];
}

/** Throws the manager's `problem`, and `file_unusable`. */
export async function serviceStatus(manager: ServiceManager): Promise<ServiceStatus> {
  const problem = await manager.problem();
  const service = installedService(manager);
  if (problem !== undefined && service !== undefined)
    throw new CodexlbError(problem.code, `${problem.message}; ${manager.file} exists, for ${service.root}`, {
      next: problem.next,
      cause: problem,
    });
  if (problem !== undefined) throw problem;
  const state = await manager.state();
  return {
    manager: manager.name,
    file: manager.file,
    installed: service !== undefined,
    ours: service?.isOurs ?? false,
    enabled: state.enabled,
    running: state.running,
    pid: state.pid ?? null,
    detail: state.detail,
    binary: service?.command[0] ?? null,
    root: service?.root ?? null,
    proxy: service === undefined ? null : await proxyOn(service.root),
    others: otherServices(manager).map(({ file }) => file),
  };
}

/** The status as text: for each fact its name, padded to a column, and its value. */
export function statusTexts(
  status: ServiceStatus,
  manager: ServiceManager,
): { readonly name: string; readonly value: string }[] {
  const { proxy, pid } = status;
  const rows: [string, string | undefined][] = [
    ["manager", status.manager],
    [
      "file",
      status.installed
        ? `${status.file}${status.ours ? "" : " (not written by codexlb service install)"}`
        : "none",
    ],
    ["enabled", yesOrNo(status.enabled)],
    [
      "running",
      `${yesOrNo(status.running)}${pid === null ? "" : `, process ${pid}`}${status.detail === "" ? "" : `; ${status.detail}`}`,
    ],
    ["binary", status.binary ?? undefined],
    ["root", status.root ?? undefined],
    [
      "proxy",
      proxy === null
        ? status.root === null
          ? undefined
          : "not responding"
        : proxyLine(proxy, status, manager),
    ],
    ...status.others.map((file): [string, string] => ["conflict", `${file} starts a second proxy`]),
  ];
  return rows.flatMap(([name, value]) =>
    value === undefined ? [] : [{ name: `${name}:`.padEnd(WIDTH), value }],
  );
}

// --- internal ---

const WIDTH = 12;

function yesOrNo(value: boolean): string {
  return value ? "yes" : "no";
}

function proxyLine(
  { version, url, pid }: NonNullable<ServiceStatus["proxy"]>,
  { pid: servicePid }: ServiceStatus,
  manager: ServiceManager,
): string {
  const advice = isNewer(version) ? "upgrade this command" : `restart it with: ${manager.command("restart")}`;
  return [
    `version ${version}${version === VERSION ? "" : ` (this is ${VERSION}; ${advice})`} on ${url}`,
    ...(pid === servicePid ? [] : [`process ${pid}, which is not the service`]),
  ].join("; ");
}

async function proxyOn(root: string): Promise<ServiceStatus["proxy"]> {
  const info = await runningProxy(layoutOf(root).adminSocket);
  return info === undefined ? null : { version: info.version, url: info.url, pid: info.pid };
}
