// The types that all service managers share: the options of a service, and the operations of a manager.

import { advised } from "../advice.ts";
import type { CodexlbError } from "../errors.ts";

/** The options of the proxy that the service runs. Paths are absolute. */
export interface ServiceOptions {
  /** The executable. */
  readonly binary: string;
  readonly root: string;
  /** Overrides `proxy.listen`; undefined: config.toml decides. */
  readonly listen: string | undefined;
  /** Overrides `proxy.upstream_base_url` in the same way. */
  readonly upstream: string | undefined;
  /** The user that a system-wide service runs as; undefined for a service of the user who installs it. */
  readonly user: string | undefined;
}

/** A command of the service manager. */
export interface Step {
  readonly argv: readonly string[];
  /** Whether a failure is ignored, for a step that removes something which may not exist. Default: false. */
  readonly mayFail?: boolean;
  /** Whether to repeat the step until it fails, because the step before it returns too early. Default: false. */
  readonly untilItFails?: boolean;
}

export interface ServiceState {
  /** Whether the service starts automatically. */
  readonly enabled: boolean;
  readonly running: boolean;
  readonly pid: number | undefined;
  /** The service manager's own description of the state, on one line. */
  readonly detail: string;
}

export interface LogOptions {
  /** How many of the last lines to print. */
  readonly lines: number;
  /** Keep printing new lines until the command is interrupted. */
  readonly follow: boolean;
  /** The root of the installed service. */
  readonly root: string;
}

/** A service that would start a second proxy on the same root. */
export interface OtherService {
  readonly file: string;
  /** The command that stops it permanently. */
  readonly stop: string;
}

/** A service manager, and the service `codexlb-proxy` (systemd) or `com.codexlb.proxy` (launchd) in it. */
export interface ServiceManager {
  /** The name that `codexlb service status` shows, such as `systemd (user)`. */
  readonly name: string;
  /** The file that defines the service. */
  readonly file: string;
  /** The `codexlb service` command `word` for this service, such as `codexlb service logs --system`. */
  command(word: string): string;
  /** Services with other names that may also exist for the same proxy. */
  readonly others: readonly OtherService[];
  /** The content of `file`. */
  text(options: ServiceOptions): string;
  /** The command in the content of a service file (ours or the Go program's); undefined if it has none. */
  commandIn(text: string): readonly string[] | undefined;
  /** Directories that the service needs before it starts and does not create itself. */
  directoriesFor(root: string): readonly string[];
  /** The steps that load `file`, and start or restart the service. */
  installSteps(): readonly Step[];
  /** The steps to run before `file` is removed. */
  stopSteps(): readonly Step[];
  /** The steps to run after `file` was removed. */
  forgetSteps(): readonly Step[];
  restartSteps(): readonly Step[];
  /** The steps that stop the service until it is started again or the user logs in again. */
  pauseSteps(): readonly Step[];
  /** The command that prints the service's output. */
  logCommand(options: LogOptions): readonly string[];
  /** Why the service manager cannot be used; undefined if it can. */
  problem(): Promise<CodexlbError | undefined>;
  /** The state of the service. Call it only if the manager has no `problem`. */
  state(): Promise<ServiceState>;
  /** Advice on what else the user can set up, for example so that the service runs while they are logged out. */
  hints(): Promise<readonly string[]>;
}

/** Marks every service file that this program writes, in its first lines. */
export const WRITTEN_BY = "Written by codexlb service install";

/** The command `codexlb service WORD` for a message; `flags` choose the manager. */
export function serviceCommand(word: string, ...flags: readonly string[]): string {
  if (word === "install") return advised("service install", ...flags);
  return ["codexlb service", word, ...flags].join(" ");
}

/** Stops the service that Homebrew creates from the formula. */
export const STOP_BREW_SERVICE = "brew services stop codexlb";

/**
 * The command that starts the proxy. It always names the root, because a service does not inherit the shell's
 * variables.
 */
export function proxyCommand({ binary, root, listen, upstream }: ServiceOptions): string[] {
  return [
    binary,
    "proxy",
    "--root",
    root,
    ...(listen === undefined ? [] : ["--listen", listen]),
    ...(upstream === undefined ? [] : ["--upstream", upstream]),
  ];
}

/** The value of `flag` (such as `--root`) in a service's command; undefined if the command lacks it. */
export function flagIn(command: readonly string[], flag: string): string | undefined {
  const at = command.indexOf(flag);
  if (at >= 0) return command[at + 1];
  return command.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1);
}
