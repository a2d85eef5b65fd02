// The input and the output of the scenario that container.test.ts starts in namespaces.

/** How the container is started. */
export interface ContainerCase {
  /** The entry point and its arguments. */
  readonly command: readonly string[];
  /** The command of the health check. */
  readonly health: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Of the process and of the state directory; the group has the same number. */
  readonly uid: number;
  /** The config.toml in the state directory. */
  readonly configToml: string;
  /** The proxy's health endpoint, for a process in the container's network. */
  readonly healthzUrl: string;
}

/** What the scenario observed. */
export interface ContainerReport {
  /** Of the running proxy, from /proc/PID/status. */
  readonly uid: string;
  /** The capabilities that it could ever get, as 16 hexadecimal digits. */
  readonly capabilities: string;
  /** "1": set-uid programs gain nothing. */
  readonly noNewPrivileges: string;
  /** The exit code of the health check while the proxy ran. */
  readonly healthCode: number;
  /** The exit code of writing to the root file system. */
  readonly writeCode: number;
  /** The exit code of the proxy after SIGTERM. */
  readonly exitCode: number;
  /** What it printed to standard output. */
  readonly output: string;
}
