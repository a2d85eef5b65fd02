// Finds the proxy address for Codex, and whether it is this root's proxy. Only that proxy gets the root's own stubs.

import { unreachable } from "../../admin/door.ts";
import { CodexlbError, isUnreachable } from "../../errors.ts";
import type { CommandContext } from "../context.ts";
import { type Location, listensAt, servingUrl } from "../proxy/locate-proxy.ts";
import { rootCredential } from "../proxy/proxy-credential.ts";

export interface ProxyAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /**
   * `own`: this root's proxy, according to its socket or by proof. `absent`: the address where that proxy would listen,
   * but nothing does. `named`: the user named the proxy, and nothing else is known about it.
   */
  readonly whose: "own" | "absent" | "named";
}

/**
 * The proxy address for Codex. Throws `unauthorized` if another program listens on the address of this root's proxy,
 * `proxy_unreachable` if that program does not answer, and `shutting_down`.
 */
export async function addressOf(context: CommandContext, location: Location): Promise<ProxyAddress> {
  const url = servingUrl(context, location);
  if (listensAt(location.daemon, url)) return { url, whose: "own" };
  const isNamed = location.kind === "named";
  try {
    const credential = rootCredential(context, { url, isNamed });
    const isProved = (await credential?.isProved(url, AbortSignal.timeout(PROOF_MS))) ?? false;
    return { url, whose: isProved ? "own" : "named" };
  } catch (error) {
    if (isNamed) return { url, whose: "named" };
    if (error instanceof CodexlbError) throw error;
    // A program that listens there without answering has not proved anything.
    if (!isUnreachable(error)) throw unreachable({ url, timeoutMs: PROOF_MS }, error);
    return { url, whose: "absent" };
  }
}

// --- internal ---

/** Generous: a proxy answers from memory. */
const PROOF_MS = 3_000;
