// Paths in settings: one rule for commands and the proxy, whose working directories differ.

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Deps } from "../deps.ts";

/** `path` as an absolute path. `~/` is the user's home directory; other relative paths are relative to `base`. */
export function absolutePath(path: string, base: string, env: Deps["env"]): string {
  return path.startsWith("~/") ? join(env.HOME || homedir(), path.slice("~/".length)) : resolve(base, path);
}

/**
 * `env` with an absolute path in CODEXLB_CLUSTER_KEY_FILE, for a process with another working directory. A relative
 * path is relative to the current one.
 */
export function withAbsolutePaths(env: Deps["env"]): Deps["env"] {
  const path = env.CODEXLB_CLUSTER_KEY_FILE?.trim();
  return path ? { ...env, CODEXLB_CLUSTER_KEY_FILE: absolutePath(path, process.cwd(), env) } : env;
}
