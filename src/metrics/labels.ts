// The values of labels: only those that the program itself names. A code that an upstream chose becomes `other`, so the
// number of time series is bounded.

import { createHash } from "node:crypto";
import { reasonCodes } from "../core/reason-words.ts";

/** The labels of one time series. */
export type Labels = Readonly<Record<string, string>>;

/** The reason of a cooldown, a disablement or a switch as a label; "" if there is none. */
export function reasonLabel(code: string | undefined): string {
  if (code === undefined || code === "") return "";
  if (KNOWN.has(code)) return code;
  const status = /^http-([45])\d\d$/.exec(code)?.[1];
  return status === undefined ? "other" : `http-${status}xx`;
}

/**
 * The name of an account or a child proxy as a label. A name that looks like an e-mail address becomes its first letter
 * and a hash, because monitoring systems keep labels for a long time.
 */
export function nameLabel(name: string): string {
  if (!name.includes("@")) return name;
  return `${name.slice(0, 1)}***-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
}

// --- internal ---

/** Codes that occur often, and that an operator acts on. */
const KNOWN: ReadonlySet<string> = new Set([
  ...reasonCodes(),
  ...[
    "transport-error",
    "unusable",
    "stream-failed",
    "http-401",
    "http-402",
    "http-403",
    "http-408",
    "http-429",
  ],
  ...["http-500", "http-502", "http-503", "http-504", "http-529"],
  ...["rate_limit_exceeded", "server_is_overloaded", "slow_down", "server_error", "internal_server_error"],
  ...["draining", "disabled", "cooling"],
]);
