// Reads CODEX_HOME/.env, whose variables override the environment that Codex is started with.

import { join } from "node:path";
import { readTextIfPresent } from "../state/atomic-file.ts";
import {
  type Environment,
  isExempt,
  NO_PROXY_VARIABLES,
  namesProxy,
  noProxyWith,
  PROXY_VARIABLES,
} from "./direct-hosts.ts";

export interface ProxyDotenv {
  readonly path: string;
  /** The variables that it sets: those of the HTTP proxy, and those in `noProxy`. */
  readonly names: readonly string[];
  /** `NO_PROXY` or `no_proxy`, where it lacks hosts. */
  readonly noProxy: readonly string[];
  /** The hosts that are missing there. */
  readonly missing: readonly string[];
}

/**
 * The `.env` of the Codex home `home`, if it makes Codex use an HTTP proxy for `hosts`: it replaces the `NO_PROXY` that
 * codexlb sets by one without these hosts, and it or `env` sets a proxy. Undefined otherwise, or if unreadable.
 */
export function proxyDotenv(
  home: string,
  hosts: readonly string[],
  env: Environment,
): ProxyDotenv | undefined {
  const path = join(home, ".env");
  const own = variablesIn(textOf(path), { ...env, ...noProxyWith(env, hosts) });
  const missingIn = (name: string) => {
    const value = own[name];
    // Without a value in the file, the one set by codexlb applies.
    return value === undefined ? [] : hosts.filter((host) => !isExempt(host, value));
  };
  const noProxy = NO_PROXY_VARIABLES.filter((name) => missingIn(name).length > 0);
  if (noProxy.length === 0 || !namesProxy({ ...env, ...own })) return undefined;
  const isProxy = (name: string) => PROXY_VARIABLES.includes(name) && own[name] !== "";
  return {
    path,
    names: Object.keys(own).filter((name) => isProxy(name) || noProxy.some((one) => one === name)),
    noProxy,
    missing: [...new Set(noProxy.flatMap(missingIn))],
  };
}

/** The warning for such a file: Codex's requests may bypass the codexlb proxy. */
export function dotenvProblem({ path, names }: ProxyDotenv): string {
  return `${path} sets ${names.join(", ")}; in Codex this file overrides the environment set by codexlb`;
}

export function dotenvRemedy({ names, noProxy, missing }: ProxyDotenv): string {
  return `move ${names.join(" and ")} to the environment in which you start Codex, or add ${missing.join(" and ")} to ${noProxy.join(" and ")} in that file`;
}

// --- internal ---

/** The variables of a `.env`, in its order; the last assignment wins. Codex skips invalid lines. */
function variablesIn(text: string, env: Environment): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [, name = "", literal, quoted, plain = ""] of text.matchAll(ASSIGNMENT)) {
    const expand = (value: string) =>
      value.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, bare?: string) => {
        const other = braced ?? bare ?? "";
        return variables[other] ?? env[other] ?? "";
      });
    variables[name] = (literal ?? expand(quoted ?? plain)).trim();
  }
  return variables;
}

/** `NAME=value`, optionally in quotes, after `export`, and before a comment. */
const ASSIGNMENT =
  /^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?:'([^'\n]*)'|"([^"\n]*)"|([^\s'"#][^\s'"]*)?)[ \t]*(?:[ \t]#.*)?\r?$/gm;

function textOf(path: string): string {
  try {
    return readTextIfPresent(path) ?? "";
  } catch {
    return ""; // Codex cannot read it either
  }
}
