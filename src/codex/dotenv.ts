// Reads CODEX_HOME/.env, whose variables override the environment that Codex is started with.

import { join } from "node:path";
import { readTextIfPresent } from "../state/atomic-file.ts";
import { NO_PROXY_VARIABLES, PROXY_VARIABLES } from "./direct-hosts.ts";

export interface ProxyDotenv {
  readonly path: string;
  /** The proxy variables that it sets, including `NO_PROXY`. */
  readonly names: readonly string[];
}

/** The `.env` of the Codex home `home`; undefined if it sets no proxy variable, or cannot be read. */
export function proxyDotenv(home: string): ProxyDotenv | undefined {
  const path = join(home, ".env");
  const names = [...textOf(path).matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=/gm)].map(
    (match) => match[1] ?? "",
  );
  const found = [...new Set(names)].filter((name) => WANTED.has(name));
  return found.length === 0 ? undefined : { path, names: found };
}

/** The warning for such a file: Codex's requests may bypass the codexlb proxy. */
export function dotenvProblem({ path, names }: ProxyDotenv): string {
  return `${path} sets ${names.join(", ")}; in Codex this file overrides the environment set by codexlb`;
}

// --- internal ---

const WANTED: ReadonlySet<string> = new Set([...PROXY_VARIABLES, ...NO_PROXY_VARIABLES]);

function textOf(path: string): string {
  try {
    return readTextIfPresent(path) ?? "";
  } catch {
    return ""; // Codex cannot read it either
  }
}
