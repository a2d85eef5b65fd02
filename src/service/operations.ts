// Installs, uninstalls and restarts the service. Every operation can be repeated safely, because it makes only
// necessary changes.

import { chmodSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { runningProxy } from "../admin/daemon.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { makePrivateDirectory, unusable, writeFileAtomic } from "../state/atomic-file.ts";
import { layoutOf } from "../state/layout.ts";
import { type InstalledService, installedService } from "./installed.ts";
import { type RunProgram, stepFailed } from "./run-program.ts";
import type { ServiceManager, ServiceOptions, Step } from "./service.ts";
import { requireStartable } from "./start-check.ts";

export interface Tools {
  readonly run: RunProgram;
  readonly sleep: (ms: number) => Promise<void>;
}

export interface InstallResult {
  readonly change: "installed" | "replaced" | "updated" | "restarted" | "unchanged";
  /** The path of the previous file's copy, if another program or a person wrote that file. */
  readonly previous: string | undefined;
}

export interface UninstallResult {
  /** The path of the removed file's copy, if another program or a person wrote that file. */
  readonly previous: string | undefined;
}

/**
 * Installs the service and starts it. If the same service is already installed, restarts it only if it is not running
 * or its executable was replaced. If the service does not start, restores the file that was there before, and restarts
 * that service. Throws `root_locked` if a proxy other than the service runs on the root, and
 * `service_manager_unavailable`, `service_failed`, `file_unusable`, and like `requireStartable`.
 */
export async function installService(
  manager: ServiceManager,
  options: ServiceOptions,
  tools: Tools,
): Promise<InstallResult> {
  await requireManager(manager);
  const before = installedService(manager);
  const state = await manager.state();
  const running = await runningProxy(layoutOf(options.root).adminSocket);
  if (running !== undefined && !state.running)
    throw new CodexlbError(
      "root_locked",
      `installing the service: another proxy (process ${running.pid}) already runs on ${options.root}`,
      { next: `stop it first: kill ${running.pid}` },
    );
  const text = manager.text(options);
  const isSame = before?.text === text;
  const isStale = running !== undefined && changedMs(options.binary) > running.started_at_ms;
  if (isSame && state.enabled && state.running && !isStale)
    return { change: "unchanged", previous: undefined };
  await requireStartable(options);
  const previous = before === undefined ? undefined : copyOfOther(manager, before);
  for (const directory of manager.directoriesFor(options.root)) makePrivateDirectory(directory);
  if (!isSame) write(manager.file, text);
  try {
    await runSteps(manager.installSteps(), manager, tools);
  } catch (error) {
    if (before !== undefined && !isSame) await restore(manager, before, error, tools);
    throw error;
  }
  const change =
    before === undefined
      ? "installed"
      : previous !== undefined
        ? "replaced"
        : isSame
          ? "restarted"
          : "updated";
  return { change, previous };
}

/**
 * Stops the service and removes its file. Keeps the root, and a copy of a file that codexlb did not write. Returns
 * undefined if there was none. Throws `service_manager_unavailable`, `service_failed`, `file_unusable`.
 */
export async function uninstallService(
  manager: ServiceManager,
  tools: Tools,
): Promise<UninstallResult | undefined> {
  await requireManager(manager);
  const service = installedService(manager);
  if (service === undefined) return undefined;
  const previous = copyOfOther(manager, service);
  await runSteps(manager.stopSteps(), manager, tools);
  try {
    rmSync(manager.file);
  } catch (error) {
    throw unusable(`removing ${manager.file}`, error);
  }
  await runSteps(manager.forgetSteps(), manager, tools);
  return { previous };
}

/**
 * Lets turns in flight finish, then restarts the service. Throws `not_found` if none is installed, and like
 * `requireStartable` and `installService`.
 */
export async function restartService(manager: ServiceManager, tools: Tools): Promise<void> {
  await requireManager(manager);
  const service = installedService(manager);
  if (service === undefined) throw notInstalled(manager);
  await requireStartable(service);
  await restartUnchecked(manager, tools);
}

/** Like `restartService` for an installed service, but stops the proxy even if it could not start again. */
export async function restartUnchecked(manager: ServiceManager, tools: Tools): Promise<void> {
  const { running } = await manager.state();
  await runSteps(running ? manager.restartSteps() : manager.installSteps(), manager, tools);
}

/** Stops the service until it is started again, or the user logs in again. Throws `service_failed`. */
export async function pauseService(manager: ServiceManager, tools: Tools): Promise<void> {
  await runSteps(manager.pauseSteps(), manager, tools);
}

/** The error for a service that is not installed. */
export function notInstalled(manager: ServiceManager): CodexlbError {
  return new CodexlbError("not_found", `the service is not installed: there is no ${manager.file}`, {
    next: `install it with: ${manager.command("install")}`,
  });
}

// --- internal ---

const RETRY_MS = 200;
/** Enough for a repeated step to wait until the proxy exits, because launchd kills the proxy after 60 s. */
const RETRIES = 350;
/** Readable for all users, because systemd warns about other units. */
const FILE_MODE = 0o644;

function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, text);
    chmodSync(path, FILE_MODE);
  } catch (error) {
    throw error instanceof CodexlbError ? error : unusable(`writing ${path}`, error);
  }
}

async function requireManager(manager: ServiceManager): Promise<void> {
  const problem = await manager.problem();
  if (problem !== undefined) throw problem;
}

/** Copies a service file that another program or a person wrote, and returns the copy's path; undefined for our own. */
function copyOfOther({ file }: ServiceManager, { isOurs, text }: InstalledService): string | undefined {
  if (isOurs) return undefined;
  const copy = `${file}.previous`;
  write(copy, text);
  return copy;
}

/** Puts the previous service file back and starts that service. Throws `service_failed`, which says so. */
async function restore(
  manager: ServiceManager,
  before: InstalledService,
  problem: unknown,
  tools: Tools,
): Promise<never> {
  const fail = (result: string, cause: unknown): never => {
    throw new CodexlbError("service_failed", `${messageOf(problem)}; ${result}`, {
      next: seeWhy(manager),
      cause,
    });
  };
  try {
    write(manager.file, before.text);
    await runSteps(manager.installSteps(), manager, tools);
  } catch (error) {
    return fail(`restoring the previous ${manager.file} failed too: ${messageOf(error)}`, error);
  }
  return fail(`the previous ${manager.file} was restored, and its service restarted`, problem);
}

/** When the file was installed (Unix ms). Not the modification time, which may come from an archive. */
function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0;
}

function seeWhy(manager: ServiceManager): string {
  return `see why: ${manager.command("status")}, ${manager.command("logs")}`;
}

async function runSteps(
  steps: readonly Step[],
  manager: ServiceManager,
  { run, sleep }: Tools,
): Promise<void> {
  for (const { argv, mayFail = false, untilItFails = false } of steps) {
    let ran = await run(argv);
    for (let tries = 0; untilItFails && ran.code === 0 && tries < RETRIES; tries++) {
      await sleep(RETRY_MS);
      ran = await run(argv);
    }
    if (ran.code !== 0 && !mayFail && !untilItFails) throw stepFailed(argv, ran, seeWhy(manager));
  }
}
