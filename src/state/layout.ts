// Where everything lives under ROOT. The Go program's names, so that a tree can be taken over and handed back.

import { homedir } from "node:os";
import { join, resolve } from "node:path";

export interface Layout {
  readonly root: string;
  readonly store: string;
  readonly config: string;
  readonly accounts: string;
  /** The default CODEX_HOME of `codexlb run`. */
  readonly runtime: string;
  readonly events: string;
  /** Held by the one process that owns this root. */
  readonly lock: string;
  /** The admin API for commands on this machine; file permission is the authentication. */
  readonly adminSocket: string;
  /** Signs the stub credentials handed to Codex. */
  readonly signingKey: string;
}

/** The root a command works on: `--root`, else `CODEXLB_ROOT`, else `~/.codex-lb`. Always absolute. */
export function rootFrom(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const named = (flag ?? "").trim() || (env.CODEXLB_ROOT ?? "").trim();
  return named === "" ? join(env.HOME ?? homedir(), ".codex-lb") : resolve(named);
}

export function layoutOf(root: string): Layout {
  return {
    root,
    store: join(root, "store.json"),
    config: join(root, "config.toml"),
    accounts: join(root, "accounts"),
    runtime: join(root, "runtime"),
    events: join(root, "logs", "proxy.current.jsonl"),
    lock: join(root, "proxy.lock"),
    adminSocket: join(root, "admin.sock"),
    signingKey: join(root, "signing.key"),
  };
}
