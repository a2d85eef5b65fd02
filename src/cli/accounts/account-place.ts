// Where an account command is carried out.

import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import type { Door } from "../../admin/door.ts";
import { readSecret } from "../../auth/secrets.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { locate } from "../proxy/locate-proxy.ts";
import { tokenFor } from "../proxy/proxy-credential.ts";

/**
 * `here`: on the root, by its daemon if one runs, else on the files.
 * `remote`: by the proxy behind `door`. If `fallback` is true and that proxy cannot be reached or does not know the
 * token, the command is carried out on the root instead.
 */
export type Place =
  | { readonly kind: "here"; readonly daemon: Daemon }
  | {
      readonly kind: "remote";
      readonly door: Door;
      readonly fallback: boolean;
      readonly daemon: Daemon;
    };

/**
 * The proxy that the user names; the one that the settings name, or that may listen at the address in the settings when
 * the user named no root and a token for it is at hand, if it can be reached; else the root. Throws what `locate` throws.
 */
export async function placeOf(context: CommandContext, flags: RemoteFlags): Promise<Place> {
  const location = await locate(context, flags);
  const { daemon } = location;
  const hasName = (flags["proxy-name"]?.trim() ?? "") !== "";
  const remote = (door: Door, fallback: boolean): Place => ({
    kind: "remote",
    door: fallback ? { ...door, timeoutMs: FALLBACK_AFTER_MS } : door,
    fallback,
    daemon,
  });
  switch (location.kind) {
    case "named":
      return remote(location.door, location.named.by === "proxy.proxy_url" && !hasName);
    case "daemon":
      return hasName ? remote(location.door, false) : { kind: "here", daemon };
    case "files": {
      // The files here belong to the proxy of this root: a proxy with another name must be asked.
      if (hasName) return remote(location.listening(), false);
      const hasToken =
        tokenFor(context, flags["admin-token"]) !== undefined ||
        readSecret(context.layout.adminToken) !== undefined;
      if (context.rootNamed || !hasToken) return { kind: "here", daemon };
      return remote(location.listening(), true);
    }
    default:
      return location satisfies never;
  }
}

/** The root, whatever proxy is named. */
export async function placeHere({ layout }: CommandContext): Promise<Place> {
  return { kind: "here", daemon: await daemonAt(layout.adminSocket) };
}

// --- internal ---

/** The longest wait, in ms, for a proxy that the user did not name. */
const FALLBACK_AFTER_MS = 2_000;
