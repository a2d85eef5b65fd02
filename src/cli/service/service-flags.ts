// Turns the flags of `codexlb service` into a service manager and the options of the service.

import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { Deps } from "../../deps.ts";
import { CodexlbError, systemProblem } from "../../errors.ts";
import { agentDirectory, createLaunchd } from "../../service/launchd.ts";
import { programRunner, type RunProgram } from "../../service/run-program.ts";
import type { ServiceManager, ServiceOptions } from "../../service/service.ts";
import { createSystemd, SYSTEM_UNIT_DIRECTORY, userUnitDirectory } from "../../service/systemd.ts";
import { SYSTEM_ROOT } from "../../service/systemd-unit.ts";
import { requireFile } from "../../state/atomic-file.ts";
import { namedRoot, rootFrom } from "../../state/layout.ts";
import { checkSetting } from "../../state/settings.ts";
import { usage } from "../flags.ts";
import { isCompiled } from "../self.ts";
import { lastingPath } from "./lasting-path.ts";

const TARGETS = ["auto", "systemd", "launchd"] as const;

/** The flags of every `codexlb service` command. */
export const MANAGER_FLAGS = {
  target: {
    type: "string",
    description: "Service manager: systemd on Linux, launchd on macOS",
    default: "auto",
    valueHint: TARGETS.join("|"),
  },
  system: { type: "boolean", description: "systemd: the system-wide service instead of the user's" },
} as const;

export interface ManagerFlags {
  readonly target: string;
  readonly system?: boolean | undefined;
}

export interface InstallFlags extends ManagerFlags {
  readonly root?: string | undefined;
  readonly binary?: string | undefined;
  readonly listen?: string | undefined;
  readonly upstream?: string | undefined;
  readonly user?: string | undefined;
}

/** The service manager that `flags` choose, and the function that runs its programs. Throws `usage`. */
export function managerFor(
  flags: ManagerFlags,
  deps: Pick<Deps, "env">,
): { readonly manager: ServiceManager; readonly run: RunProgram } {
  const target = targetOf(flags.target);
  const isSystem = flags.system ?? false;
  if (target === "launchd" && isSystem)
    throw usage("--system is for systemd only", "leave it out: launchd runs the proxy for your own user");
  const env = withRuntimeDirectory(deps.env);
  const run = programRunner(env);
  const home = env.HOME || homedir();
  const manager =
    target === "launchd"
      ? createLaunchd({ directory: agentDirectory(home), uid: userId(), run })
      : createSystemd({
          directory: isSystem ? SYSTEM_UNIT_DIRECTORY : userUnitDirectory(home),
          isSystem,
          env,
          run,
        });
  return { manager, run };
}

/** Throws `usage` if the command would change the service of the wrong user. */
export function requireRightUser({ system = false }: ManagerFlags, { env }: Pick<Deps, "env">): void {
  const isRoot = userId() === 0;
  if (system && !isRoot)
    throw usage(
      "--system changes files that belong to root",
      "run the command with sudo, or without --system",
    );
  if (!system && isRoot && env.SUDO_USER && env.SUDO_USER !== "root")
    throw usage(
      "with sudo this command would change root's own service",
      "run it without sudo for your own service, or with --system for a system-wide one",
    );
}

/** The options of the service that `flags` describe. Throws `usage`, `file_unusable`. */
export async function serviceOptions(
  flags: InstallFlags,
  { env }: Pick<Deps, "env">,
  run: RunProgram,
): Promise<ServiceOptions> {
  const isSystem = flags.system ?? false;
  if (flags.user?.trim() && !isSystem)
    throw usage(
      "--user is for --system only",
      "add --system, or leave --user out to run the proxy as yourself",
    );
  const named = namedRoot(flags.root, env);
  const options = {
    binary: binaryOf(flags.binary, env),
    root: isSystem && named === undefined ? SYSTEM_ROOT : rootFrom(flags.root, env),
    listen: setting("listen", "proxy.listen", flags.listen),
    upstream: setting("upstream", "proxy.upstream_base_url", flags.upstream),
    user: isSystem ? await existingUser(flags.user?.trim() || DEFAULT_USER, run) : undefined,
  };
  for (const word of [options.binary, options.root])
    if (CONTROL.test(word))
      throw usage(`${JSON.stringify(word)}: a path must not contain control characters`);
  return options;
}

// --- internal ---

/** The user of the system-wide service. */
const DEFAULT_USER = "codexlb";
const CONTROL = /\p{Cc}/u;

function targetOf(text: string): "systemd" | "launchd" {
  const target = TARGETS.find((candidate) => candidate === text.trim());
  if (target === undefined)
    throw usage(`flag --target: ${JSON.stringify(text)} is not a target`, `targets: ${TARGETS.join(", ")}`);
  if (target !== "auto") return target;
  return process.platform === "darwin" ? "launchd" : "systemd";
}

function userId(): number {
  return process.getuid?.() ?? -1;
}

/** Adds XDG_RUNTIME_DIR, by which systemctl finds the user's systemd. It is missing after `su` and in cron jobs. */
function withRuntimeDirectory(env: Deps["env"]): Deps["env"] {
  if (env.XDG_RUNTIME_DIR) return env;
  const usual = `/run/user/${userId()}`;
  return statSync(usual, { throwIfNoEntry: false })?.uid === userId()
    ? { ...env, XDG_RUNTIME_DIR: usual }
    : env;
}

/** The checked value of a flag that overrides a setting; undefined if the flag is missing or blank. */
function setting(flag: string, key: string, value: string | undefined): string | undefined {
  const text = value?.trim();
  if (!text) return undefined;
  const checked = checkSetting(key, text);
  if (typeof checked === "string") throw usage(`flag --${flag}: ${checked}`);
  return text;
}

async function existingUser(user: string, run: RunProgram): Promise<string> {
  if (/^[\w.][\w.-]*$/.test(user) && (await run(["id", "-u", user])).code === 0) return user;
  throw usage(
    `flag --user: there is no user ${JSON.stringify(user)}`,
    user === DEFAULT_USER
      ? `create it: useradd --system --home-dir ${SYSTEM_ROOT} --shell /usr/sbin/nologin ${user}; or name another user`
      : "name an existing user",
  );
}

function binaryOf(flag: string | undefined, env: Deps["env"]): string {
  const named = flag?.trim();
  if (!named && !isCompiled())
    throw usage("this codexlb runs from its sources", "name the executable of the service with --binary");
  const path = named
    ? resolve(named)
    : lastingPath({ executable: process.execPath, startedAs: process.argv0 }, env);
  try {
    requireFile(path);
    accessSync(path, constants.X_OK);
  } catch (error) {
    throw new CodexlbError(
      "file_unusable",
      `checking the service's executable ${path}: ${systemProblem(error)}`,
      {
        next: "name another executable with --binary",
        cause: error,
      },
    );
  }
  return path;
}
