// The paths of files and directories in ROOT. The names are those of the Go program, so that both can use the same ROOT.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { namesIn } from "./names-in.ts";

export interface Layout {
  readonly root: string;
  readonly store: string;
  readonly config: string;
  /** The account of each session. */
  readonly sessions: string;
  /** What turns used. The Go program does not know it. */
  readonly usage: string;
  readonly accounts: string;
  /** The CODEX_HOME of `codexlb run`, with links into `~/.codex`. The Go program does not know it. */
  readonly linkedHome: string;
  /** The CODEX_HOME of `codexlb run --isolated-home`. */
  readonly runtime: string;
  /** Homes of logins in progress: one directory for each login, removed at its end. */
  readonly logins: string;
  readonly logs: string;
  /** The current file of the event log; older files are in the same directory. */
  readonly events: string;
  /** The lock that the process owning this root holds. */
  readonly lock: string;
  /** The flags that the running proxy was started with. The Go program does not know it. */
  readonly startFlags: string;
  /** The admin API for commands on this machine; file permission is the authentication. */
  readonly adminSocket: string;
  /** The secret for the admin API over TCP. */
  readonly adminToken: string;
  /** Keys of clients and of proxies in front, as hashes. */
  readonly keys: string;
  /** What keys with limits have used. */
  readonly keyUse: string;
  /** The key that signs the stub credentials for Codex. */
  readonly signingKey: string;
  /** What this root shares with the other replicas of a pool. Only a replica has it. */
  readonly cluster: string;
  /** What was already reported by notifications. The Go program does not know it. */
  readonly notify: string;
}

/** The root of a command: `--root`, or else `CODEXLB_ROOT`, or else `~/.codex-lb`. An absolute path. */
export function rootFrom(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const named = namedRoot(flag, env);
  return named === undefined ? join(env.HOME || homedir(), ".codex-lb") : resolve(named);
}

/** The root that the user named, if any. */
export function namedRoot(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return (flag ?? "").trim() || (env.CODEXLB_ROOT ?? "").trim() || undefined;
}

/**
 * The home to check for `codexlb run`: the linked one, or before the first run with it the one of earlier versions.
 * `linkedHome` defaults to that of the layout.
 */
export function homeToCheck(layout: Layout, linkedHome = layout.linkedHome): string {
  return existsSync(layout.runtime) && !existsSync(linkedHome) ? layout.runtime : linkedHome;
}

/** The existing Codex homes of `codexlb run` that are linked to a home of the user, including those of client keys. */
export function linkedHomesIn({ root, linkedHome }: Layout): string[] {
  const name = basename(linkedHome);
  return namesIn(root)
    .filter((entry) => entry === name || entry.startsWith(`${name}-`))
    .map((entry) => join(root, entry));
}

export function layoutOf(root: string): Layout {
  const logs = join(root, "logs");
  return {
    root,
    store: join(root, "store.json"),
    config: join(root, "config.toml"),
    sessions: join(root, "sessions.jsonl"),
    usage: join(root, "usage.db"),
    accounts: join(root, "accounts"),
    linkedHome: join(root, "codex-home"),
    runtime: join(root, "runtime"),
    logins: join(root, "logins"),
    logs,
    events: join(logs, "proxy.current.jsonl"),
    lock: join(root, "proxy.lock"),
    startFlags: join(root, "start-flags.json"),
    adminSocket: join(root, "admin.sock"),
    adminToken: join(root, "admin.token"),
    keys: join(root, "keys.json"),
    keyUse: join(root, "key-use.json"),
    signingKey: join(root, "signing.key"),
    cluster: join(root, "cluster.json"),
    notify: join(root, "notify.json"),
  };
}
