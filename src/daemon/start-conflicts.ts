// The errors for a proxy that starts on the root or on the address of another one.

import { runningProxy } from "../admin/daemon.ts";
import { greets } from "../admin/proving.ts";
import { advised } from "../advice.ts";
import { CodexlbError, systemCodeOf } from "../errors.ts";
import type { Layout } from "../state/layout.ts";

/** The `root_locked` error for `layout`'s root, with the address and the process of its proxy if that answers. */
export async function rootInUse({ root, adminSocket }: Layout): Promise<CodexlbError> {
  const other = await runningProxy(adminSocket).catch(() => undefined);
  const which = other === undefined ? "it" : `the one on ${other.url} (process ${other.pid})`;
  return new CodexlbError("root_locked", `another codexlb proxy runs on ${root}`, {
    next: `stop ${which} with: ${advised("proxy stop")}, or start this proxy with another --root`,
  });
}

/** The result of `listen`. If `url` is in use by a codexlb proxy, its error says so; otherwise it stays as it is. */
export async function listeningAt<T>(url: string, listen: () => T): Promise<T> {
  try {
    return listen();
  } catch (error) {
    if (!(error instanceof CodexlbError) || systemCodeOf(error.cause) !== "EADDRINUSE") throw error;
    const isProxy = await greets(url, AbortSignal.timeout(GREETING_MS)).catch(() => false);
    if (!isProxy) throw error;
    throw new CodexlbError(error.code, error.message, {
      next: "another codexlb proxy is already listening on this address; stop it, or choose another --listen address",
      cause: error,
    });
  }
}

// --- internal ---

const GREETING_MS = 2_000;
