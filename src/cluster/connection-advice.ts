// The next step after a connection to the engine has failed.

import type { Deps } from "../deps.ts";
import { messageOf, systemCodeOf } from "../errors.ts";

/** A failed connection to `shown`, the URL without user and password. */
export interface FailedConnection {
  readonly shown: string;
  readonly env: Deps["env"];
  readonly error: unknown;
}

/** What to do next, with the name of the setting that has the URL. */
export function connectionAdvice({ shown, env, error }: FailedConnection): string {
  const setting = env.CODEXLB_CLUSTER_URL ? "CODEXLB_CLUSTER_URL" : "cluster.url in config.toml";
  if (isOtherProtocol(error))
    return `check that ${setting} has the host and the port of a Redis or Valkey server`;
  const code = systemCodeOf(error) ?? messageOf(error);
  const check = `check that the server runs, and ${setting}`;
  if (shown.startsWith("rediss:") && PLAIN_SERVER.has(code))
    return `${check}; if the server does not use TLS on this port, the URL begins with redis://`;
  if (shown.startsWith("redis:") && code === "ECONNRESET")
    return `${check}; if the server uses TLS on this port, the URL begins with rediss://`;
  return check;
}

/** True if the program at the other end does not speak the protocol of Redis. */
export function isOtherProtocol(error: unknown): boolean {
  return messageOf(error).startsWith("Unknown RESP type");
}

/** The error of `connected` in engine.ts if nothing has arrived. */
export const NO_ANSWER = "no answer";

// --- internal ---

/** How a connection with TLS fails if the server uses none: the server waits, closes it, or sends plain text. */
const PLAIN_SERVER: ReadonlySet<string> = new Set(["ECONNRESET", "ERR_SSL_WRONG_VERSION_NUMBER", NO_ANSWER]);
