// Where Codex is sent, and whether that is known to be the proxy of this root: only that one gets the root's own stubs.

import { unreachable } from "../../admin/door.ts";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { CodexlbError, reachedNobody } from "../../errors.ts";
import { type CommandContext, isOwn, namedProxy, proxyUrlOf, rootCredential } from "../context.ts";

export interface ProxyAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /**
   * `own`: the proxy of this root: its socket says so, or it has proved it. `absent`: where that proxy will listen, and
   * nothing does. `named`: the user named it, and no more is known.
   */
  readonly whose: "own" | "absent" | "named";
}

/**
 * Where Codex is sent; `flag` is `--proxy-url`. Throws `unauthorized` when another program listens where the proxy of the
 * root should, `proxy_unreachable` when that does not answer, and `shutting_down`.
 */
export async function addressOf(context: CommandContext, flag: string | undefined): Promise<ProxyAddress> {
  const isNamed = (await namedProxy(context, flag)) !== undefined;
  const url = parseProxyUrl(await proxyUrlOf(context, flag)).href.replace(/\/+$/, "");
  if (await isOwn(context, url)) return { url, whose: "own" };
  try {
    const credential = rootCredential(context, { url, isNamed });
    const isProved = (await credential?.isProved(url, AbortSignal.timeout(PROOF_MS))) ?? false;
    return { url, whose: isProved ? "own" : "named" };
  } catch (error) {
    if (isNamed) return { url, whose: "named" };
    if (error instanceof CodexlbError) throw error;
    // What is there and does not answer has proved nothing.
    if (!reachedNobody(error)) throw unreachable({ url, timeoutMs: PROOF_MS }, error);
    return { url, whose: "absent" };
  }
}

// --- internal ---

/** A proxy answers from memory. */
const PROOF_MS = 3_000;
