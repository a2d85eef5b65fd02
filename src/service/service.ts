// What a service is, whichever service manager runs it: the options it is installed with, and what a manager can do.

import type { CodexlbError } from "../errors.ts";

/** What the service runs, and how. Paths are absolute. */
export interface ServiceOptions {
  /** The executable. */
  readonly binary: string;
  readonly root: string;
  /** Overrides `proxy.listen` for as long as the service is installed like this; undefined: config.toml decides. */
  readonly listen: string | undefined;
  /** Overrides `proxy.upstream_base_url` in the same way. */
  readonly upstream: string | undefined;
  /** The user that a system-wide service runs as; undefined for a service of the user who installs it. */
  readonly user: string | undefined;
}

/** A command of the service manager. */
export interface Step {
  readonly argv: readonly string[];
  /** The step may fail, because what it removes may not be there. Default: false. */
  readonly mayFail?: boolean;
  /** The step is repeated until it fails, because the step before it returns too early. Default: false. */
  readonly untilItFails?: boolean;
}

export interface ServiceState {
  /** Whether it starts by itself. */
  readonly enabled: boolean;
  readonly running: boolean;
  readonly pid: number | undefined;
  /** What the service manager says about it, on one line. */
  readonly detail: string;
}

export interface LogOptions {
  /** How many of the last lines. */
  readonly lines: number;
  /** Keep printing new lines until the command is interrupted. */
  readonly follow: boolean;
  /** The root of the installed service. */
  readonly root: string;
}

/** A service that would start a second proxy on the same root. */
export interface OtherService {
  readonly file: string;
  /** The command that stops it for good. */
  readonly stop: string;
}

/** A service manager, and the service `codexlb-proxy` (systemd) or `com.codexlb.proxy` (launchd) in it. */
export interface ServiceManager {
  /** `systemd (user)`, as `codexlb service status` shows it. */
  readonly name: string;
  /** The file that defines the service. */
  readonly file: string;
  /** Services of other names for the same proxy, which may be there, too. */
  readonly others: readonly OtherService[];
  /** The content of `file`. */
  text(options: ServiceOptions): string;
  /** The command in the content of such a file, ours or the Go program's; undefined if it has none. */
  commandIn(text: string): readonly string[] | undefined;
  /** Directories that the service needs before it starts and does not make itself. */
  directoriesFor(root: string): readonly string[];
  /** Activates `file` as it is now, and starts it, or restarts it if it runs. */
  installSteps(): readonly Step[];
  /** Before `file` is removed. */
  stopSteps(): readonly Step[];
  /** After `file` was removed. */
  forgetSteps(): readonly Step[];
  restartSteps(): readonly Step[];
  /** The command that prints the service's output. */
  logCommand(options: LogOptions): readonly string[];
  /** Why the service manager cannot be used; undefined if it can. */
  problem(): Promise<CodexlbError | undefined>;
  /** The state of the service. Only for a manager without a `problem`. */
  state(): Promise<ServiceState>;
  /** What the user may want to do next so that the service runs when they expect it to. */
  hints(): Promise<readonly string[]>;
}

/** In the first lines of every file that this program writes for a service manager. */
export const WRITTEN_BY = "Written by codexlb service install";

/** Stops the service that Homebrew makes of its formula. */
export const STOP_BREW_SERVICE = "brew services stop codexlb";

/** The words that start the proxy. The root is always among them: a service has another environment than a shell. */
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

/** The root that a service's command names; undefined if it names none. */
export function rootIn(command: readonly string[]): string | undefined {
  const at = command.indexOf("--root");
  if (at >= 0) return command[at + 1];
  return command.find((word) => word.startsWith("--root="))?.slice("--root=".length);
}
