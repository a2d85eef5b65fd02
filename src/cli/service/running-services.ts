// Finds the running codexlb services on this machine.

import type { Deps } from "../../deps.ts";
import { type InstalledService, installedService } from "../../service/installed.ts";
import { restartUnchecked } from "../../service/operations.ts";
import type { ServiceManager } from "../../service/service.ts";
import { managerFor } from "./service-flags.ts";

export interface RunningService {
  readonly service: InstalledService;
  readonly pid: number | undefined;
  readonly manager: ServiceManager;
  /** Restarts it, even if its proxy could not start again. Throws `service_failed`. */
  restart(): Promise<void>;
}

/** The user's and the system-wide service, if they are installed and running. */
export async function runningServices(deps: Pick<Deps, "env">): Promise<RunningService[]> {
  const found: RunningService[] = [];
  for (const system of process.platform === "darwin" ? [false] : [false, true]) {
    const { manager, run } = managerFor({ target: "auto", system }, deps);
    const service = installedService(manager);
    if (service === undefined || (await manager.problem()) !== undefined) continue;
    const { running, pid } = await manager.state();
    if (!running) continue;
    found.push({
      service,
      pid,
      manager,
      restart: () => restartUnchecked(manager, { run, sleep: Bun.sleep }),
    });
  }
  return found;
}

/** Advice on how to restart the proxy with the process `pid`. */
export async function restartAdvice(pid: number, deps: Pick<Deps, "env">): Promise<string> {
  const services = await runningServices(deps);
  const service = services.find((one) => one.pid === pid);
  return `restart it: ${service?.manager.command("restart") ?? `kill ${pid}, then start codexlb proxy again`}`;
}
