// Checks that a run can reach a proxy with accounts. Codex would spend half a minute on reconnects, and show no reason.

import { isProxy, unreachable } from "../../admin/door.ts";
import { advised } from "../../advice.ts";
import { CodexlbError, isUnreachable } from "../../errors.ts";
import { openLocalStore } from "../accounts/with-accounts.ts";
import { configOf } from "../config/root-config.ts";
import type { CommandContext } from "../context.ts";
import type { ProxyAddress } from "./proxy-address.ts";

/**
 * Throws `proxy_unreachable` if no proxy can be reached at `address`, and `no_accounts` if none could serve the run.
 * `withProxy`: the command that repeats the run with a proxy of its own.
 */
export async function requireProxy(
  context: CommandContext,
  { url, whose }: ProxyAddress,
  withProxy: string,
): Promise<void> {
  if (whose === "absent") {
    await requireAccounts(context);
    throw noProxy(context, withProxy);
  }
  if (whose !== "named") return;
  const door = { url, timeoutMs: ANSWER_MS };
  try {
    await isProxy(door);
  } catch (error) {
    if (isUnreachable(error)) throw unreachable(door, error);
  }
}

/** Throws `no_accounts` if a proxy on the root would have neither accounts nor child proxies. */
export async function requireAccounts(context: CommandContext): Promise<void> {
  const { proxy } = await configOf(context);
  const { state } = openLocalStore(context, true, proxy.upstream_base_url);
  if (state.accounts.length === 0 && proxy.child_proxy_urls.length === 0)
    throw new CodexlbError("no_accounts", "there are no accounts yet", {
      next: `add one with: ${advised("init")}, or: ${advised("account login", "ALIAS")}`,
    });
}

/** The error for a run without a proxy. `withProxy`: as for `requireProxy`. */
export function noProxy({ layout }: CommandContext, withProxy: string): CodexlbError {
  return new CodexlbError("proxy_unreachable", `no proxy is running on ${layout.root}`, {
    next: `start one with: ${advised("proxy start")}, or for this run: ${withProxy}`,
  });
}

// --- internal ---

const ANSWER_MS = 3_000;
