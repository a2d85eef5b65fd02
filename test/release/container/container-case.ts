// The input and output of the scenario that container.test.ts runs in namespaces.

/** The settings of the container. */
export interface ContainerCase {
  /** The entry point and its arguments. */
  readonly command: readonly string[];
  /** The command of the health check. */
  readonly health: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The user id of the process and the state directory. The group has the same number. */
  readonly uid: number;
  /** The config.toml in the state directory. */
  readonly configToml: string;
  /** The URL of the proxy's health endpoint in the container's network. */
  readonly healthzUrl: string;
}

/** The results of the scenario. */
export interface ContainerReport {
  /** The user id of the running proxy, from /proc/PID/status. */
  readonly uid: string;
  /** The capabilities that the proxy could acquire, as 16 hexadecimal digits. */
  readonly capabilities: string;
  /** "1" if set-uid programs gain no privileges. */
  readonly noNewPrivileges: string;
  /** The exit code of the health check while the proxy ran. */
  readonly healthCode: number;
  /** The exit code of writing to the root file system. */
  readonly writeCode: number;
  /** The exit code of the proxy after SIGTERM. */
  readonly exitCode: number;
  /** The standard output of the proxy. */
  readonly output: string;
}
