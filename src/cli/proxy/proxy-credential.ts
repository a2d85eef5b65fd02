// The credential of a command for a proxy that it does not reach over the root's socket.

import { type Credential, createCredential } from "../../admin/proving.ts";
import { newSecret, readSecret } from "../../auth/secrets.ts";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { isLoopback } from "../../core/listen.ts";
import type { CommandContext } from "../context.ts";

/** The address of a proxy. */
export interface Address {
  readonly url: string;
  /** True if the user named this address. */
  readonly isNamed: boolean;
}

/** The admin token that the user gave. `flag` is the value of `--admin-token`. */
export function tokenFor({ deps }: CommandContext, flag: string | undefined): string | undefined {
  return flag?.trim() || deps.env.CODEXLB_ADMIN_TOKEN?.trim() || undefined;
}

/**
 * The credential for the proxy at `url`: the token that the user gave, otherwise the root's own token if the proxy can
 * be this root's. Unless the user named the proxy (`isNamed`), the proxy must first prove that it is this root's.
 */
export function credentialFor(
  context: CommandContext,
  address: Address,
  flag: string | undefined,
): Credential | undefined {
  const given = tokenFor(context, flag);
  if (given === undefined) return rootCredential(context, address);
  return createCredential({ ...context.deps, secret: given, origin: address.isNamed ? "given" : "own" });
}

/** The root's own token, if the proxy can be this root's; otherwise undefined. */
export function rootCredential(
  { deps, layout }: CommandContext,
  { url, isNamed }: Address,
): Credential | undefined {
  const own = readSecret(layout.adminToken);
  // Without a token in the root, no proxy can prove that it is this root's. A random secret makes the proof fail.
  if (!isNamed) return createCredential({ ...deps, secret: own ?? newSecret(deps.random), origin: "own" });
  const isHere = isLoopback(parseProxyUrl(url).hostname.replace(/^\[|\]$/g, ""));
  return isHere && own !== undefined
    ? createCredential({ ...deps, secret: own, origin: "spare" })
    : undefined;
}
