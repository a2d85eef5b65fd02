// Decides where an account command is carried out.

import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import type { Door } from "../../admin/door.ts";
import { readSecret } from "../../auth/secrets.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { locate } from "../proxy/locate-proxy.ts";
import { tokenFor } from "../proxy/proxy-credential.ts";

/**
 * The place where an account command is carried out.
 * `here`: the root. Its daemon does the work if one is running; otherwise the command changes the files.
 * `remote`: the proxy behind `door`. If `fallback` is true and that proxy is unreachable or rejects the token, the
 * command is carried out on the root instead.
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
 * The place for a command: the proxy that the user names, otherwise the root. A proxy that only the settings name is a
 * place with `fallback`, and so is a proxy that may listen at the address in the settings if the user named no root and
 * a token for it exists. Throws what `locate` throws.
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

/** The root, even if a proxy is named. */
export async function placeHere({ layout }: CommandContext): Promise<Place> {
  return { kind: "here", daemon: await daemonAt(layout.adminSocket) };
}

// --- internal ---

/** The longest wait, in ms, for a proxy that the user did not name. */
const FALLBACK_AFTER_MS = 2_000;
