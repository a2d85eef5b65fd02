// Finds the codexlb services on this machine.

import { advised } from "../../advice.ts";
import type { Deps } from "../../deps.ts";
import { type InstalledService, installedService } from "../../service/installed.ts";
import { pauseService, restartUnchecked } from "../../service/operations.ts";
import type { ServiceManager } from "../../service/service.ts";
import { managerFor } from "./service-flags.ts";

/** An installed service whose manager works. */
export interface FoundService {
  readonly service: InstalledService;
  readonly running: boolean;
  readonly pid: number | undefined;
  readonly manager: ServiceManager;
  /** Restarts it, or starts it if it is not running, even if its proxy cannot start. Throws `service_failed`. */
  restart(): Promise<void>;
  /** Stops it until it is started again or the user logs in again. Throws `service_failed`. */
  pause(): Promise<void>;
}

/** The user's and the system-wide service, if they are installed. */
export async function foundServices(deps: Pick<Deps, "env">): Promise<FoundService[]> {
  const found: FoundService[] = [];
  for (const system of process.platform === "darwin" ? [false] : [false, true]) {
    const { manager, run } = managerFor({ target: "auto", system }, deps);
    const service = installedService(manager);
    if (service === undefined || (await manager.problem()) !== undefined) continue;
    const { running, pid } = await manager.state();
    const tools = { run, sleep: Bun.sleep };
    found.push({
      service,
      running,
      pid,
      manager,
      restart: () => restartUnchecked(manager, tools),
      pause: () => pauseService(manager, tools),
    });
  }
  return found;
}

/** The services of `foundServices` that are running. */
export async function runningServices(deps: Pick<Deps, "env">): Promise<FoundService[]> {
  return (await foundServices(deps)).filter(({ running }) => running);
}

/** Advice on how to restart the proxy with the process `pid`. */
export async function restartAdvice(pid: number, deps: Pick<Deps, "env">): Promise<string> {
  const services = await runningServices(deps);
  const service = services.find((one) => one.pid === pid);
  return `restart it: ${service?.manager.command("restart") ?? `kill ${pid}, then start ${advised("proxy")} again`}`;
}
