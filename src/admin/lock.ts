// The lock of the admin API and the metrics on the TCP port: decides who may use which path, checks that a proof covers the body, and
// ends responses when the key they were requested with is removed.

import type { MiddlewareHandler } from "hono";
import { advisedElsewhere } from "../advice.ts";
import type { Access, Holder, Role } from "../auth/access.ts";
import { hashOf } from "../auth/secrets.ts";
import { TARGET_HEADER } from "../core/hops.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import type { Admission } from "../proxy/admission.ts";
import { METRICS_PATH } from "../proxy/guard.ts";
import { keyExpired } from "../proxy/key-limits.ts";
import type { TrafficCounts } from "../proxy/traffic-counts.ts";

/** Variables of a request: the client that the lock let in; undefined on the unix socket, which has no lock. */
export interface LockEnv {
  readonly Variables: { readonly holder?: Holder };
}

/** Lets authorised requests pass and counts the others, and ends a parent's response when its key is removed. */
export function locked(
  access: Access,
  admission: Pick<Admission, "enter">,
  counts: Pick<TrafficCounts, "refused">,
  { clock }: Pick<Deps, "clock">,
): MiddlewareHandler<LockEnv> {
  return async (c, next) => {
    const holder = access.holderOf(c.req.raw);
    const role = holder?.role;
    c.set("holder", holder);
    if (!opens(role, c.req.path, c.req.header(TARGET_HEADER) !== undefined)) {
      const expired = role === undefined ? access.expiredKeyOf(c.req.raw) : undefined;
      const refusal =
        expired === undefined
          ? refusalOf(c.req.path, c.req.header("authorization"), role)
          : keyExpired(expired, clock.now());
      counts.refused(refusal.code);
      throw refusal;
    }
    await next();
    // A login can be watched for minutes; the response must end when the watcher's key is removed.
    if (role === "parent" && holder !== undefined) c.res = endingWith(admission, holder, c.res);
  };
}

/** Compares the body with the hash in the proof. Must run after the limit on body sizes. */
export const provenBody: MiddlewareHandler<LockEnv> = async (c, next) => {
  const wanted = c.get("holder")?.bodySha256;
  if (wanted === undefined) return next();
  const bytes = new Uint8Array(await c.req.raw.arrayBuffer());
  if (hashOf(bytes) !== wanted)
    throw new CodexlbError("unauthorized", "the request body does not match the proof", {
      next: "send the request directly to the proxy; a program in between changes bodies",
    });
  if (bytes.byteLength > 0) c.req.raw = new Request(c.req.raw, { body: bytes });
  return next();
};

// --- internal ---

/** The paths for clients: a client that can send requests can also get a stub, and see what it used itself. */
const CLIENT_PATHS: ReadonlySet<string> = new Set(["/admin/runtime-auth", "/admin/usage"]);
/**
 * The paths of calls that a proxy in front may relay (they name their target proxy). It can neither manage keys nor open
 * the dashboard.
 */
const PARENT_PATH = /^\/admin\/(?!key|dashboard)|^\/logs$/;

function refusalOf(path: string, shown: string | undefined, role: Role | undefined): CodexlbError {
  if (path === METRICS_PATH) return metricsRefusal(shown, role);
  if (role !== undefined)
    return new CodexlbError(
      "admin_role_required",
      `this key has the role ${role}, and this path of the admin API requires the admin token`,
      { next: USE_TOKEN },
    );
  return new CodexlbError(
    "unauthorized",
    shown === undefined
      ? "the admin API requires the admin token"
      : "these credentials are neither this proxy's admin token nor one of its keys",
    { next: USE_TOKEN },
  );
}

function metricsRefusal(shown: string | undefined, role: Role | undefined): CodexlbError {
  const next = `send Authorization: Bearer KEY with a key that you create with: ${advisedElsewhere("key add", "--role", "metrics", "NAME")}`;
  if (role !== undefined)
    return new CodexlbError(
      "key_role_refused",
      `this key has the role ${role}, and the metrics require the role metrics or the admin token`,
      { next },
    );
  return new CodexlbError(
    "unauthorized",
    shown === undefined
      ? "the metrics require a key with the role metrics, or the admin token"
      : "these credentials are neither this proxy's admin token nor one of its keys",
    { next },
  );
}

const USE_TOKEN =
  "set CODEXLB_ADMIN_TOKEN or --admin-token (the proxy's ROOT/admin.token has it), or run the command on the proxy's machine with its --root";

function opens(role: Role | undefined, path: string, isRelayed: boolean): boolean {
  switch (role) {
    case "admin":
      return true;
    case "parent":
      return (isRelayed && PARENT_PATH.test(path)) || CLIENT_PATHS.has(path);
    case "client":
      return CLIENT_PATHS.has(path);
    case "metrics":
      return path === METRICS_PATH;
    case undefined:
      return false;
    default:
      return role satisfies never;
  }
}

/** `response` with a body that ends when the holder's grant ends. */
function endingWith(
  admission: Pick<Admission, "enter">,
  holder: Holder,
  { body, status, headers }: Response,
): Response {
  const reader = body?.getReader();
  if (reader === undefined) return new Response(null, { status, headers });
  let leave = () => {};
  const cut = new ReadableStream<Uint8Array>({
    start: (controller) => {
      leave = admission.enter(holder, () => {
        controller.error(new Error("the key was removed"));
        // The client has disconnected, so an error cannot be reported to it.
        reader.cancel().catch(() => {});
      });
    },
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (value !== undefined) controller.enqueue(value);
        if (!done) return;
        leave();
        controller.close();
      } catch (error) {
        leave();
        controller.error(error);
      }
    },
    cancel: (reason) => {
      leave();
      return reader.cancel(reason);
    },
  });
  return new Response(cut, { status, headers });
}
