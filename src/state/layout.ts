// Where everything lives under ROOT. The Go program's names, so that a tree can be taken over and handed back.

import { homedir } from "node:os";
import { join, resolve } from "node:path";

export interface Layout {
  readonly root: string;
  readonly store: string;
  readonly config: string;
  /** Which account each session is with. */
  readonly sessions: string;
  readonly accounts: string;
  /** The default CODEX_HOME of `codexlb run`. */
  readonly runtime: string;
  /** Homes of logins under way, each a directory that goes away with it. */
  readonly logins: string;
  readonly logs: string;
  /** The event log that is written now; older parts lie beside it. */
  readonly events: string;
  /** Held by the one process that owns this root. */
  readonly lock: string;
  /** The admin API for commands on this machine; file permission is the authentication. */
  readonly adminSocket: string;
  /** Opens the admin API over TCP. */
  readonly adminToken: string;
  /** Keys of clients and of proxies in front, as hashes. */
  readonly keys: string;
  /** Signs the stub credentials handed to Codex. */
  readonly signingKey: string;
}

/** The root a command works on: `--root`, else `CODEXLB_ROOT`, else `~/.codex-lb`. Always absolute. */
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

export function layoutOf(root: string): Layout {
  const logs = join(root, "logs");
  return {
    root,
    store: join(root, "store.json"),
    config: join(root, "config.toml"),
    sessions: join(root, "sessions.jsonl"),
    accounts: join(root, "accounts"),
    runtime: join(root, "runtime"),
    logins: join(root, "logins"),
    logs,
    events: join(logs, "proxy.current.jsonl"),
    lock: join(root, "proxy.lock"),
    adminSocket: join(root, "admin.sock"),
    adminToken: join(root, "admin.token"),
    keys: join(root, "keys.json"),
    signingKey: join(root, "signing.key"),
  };
}
