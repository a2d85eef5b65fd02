// The local paths of the proxy as Hono apps with two doors: the TCP port, where admin paths need the admin token,
// and ROOT/admin.sock, whose file permission is the authentication.

import { Hono, type MiddlewareHandler } from "hono";
import type { Access, Holder, Role } from "../auth/access.ts";
import type { AccountOps } from "../auth/account-ops.ts";
import { networkSettings } from "../auth/network-settings.ts";
import { hashOf } from "../auth/secrets.ts";
import { TARGET_HEADER } from "../core/hops.ts";
import { CodexlbError } from "../errors.ts";
import type { Admission } from "../proxy/admission.ts";
import { hasOwnLock } from "../proxy/guard.ts";
import type { LocalPaths } from "../proxy/server.ts";
import { type AccountContext, accountRoutes } from "./accounts.ts";
import { type ChallengeContext, challengeRoutes } from "./challenge.ts";
import { withErrors } from "./errors.ts";
import { type LoginContext, loginRoutes } from "./login.ts";
import { isObservePath, type ObserveContext, observeRoutes } from "./observe.ts";
import { type OperateContext, operateRoutes } from "./operate.ts";
import { type RelayContext, relayed } from "./relay.ts";
import { jsonOnly, smallBodies } from "./requests.ts";
import { isTokenPath, type RuntimeContext, runtimeRoutes, tokenRoutes } from "./runtime.ts";

export type AdminContext = ObserveContext &
  RuntimeContext &
  AccountContext &
  LoginContext &
  OperateContext &
  RelayContext &
  ChallengeContext &
  QuickContext;

export interface QuickContext {
  /** What `status --short` says on this root; undefined when its commands are for a proxy elsewhere. */
  readonly shortStatus: () => string | undefined;
}

/** Every endpoint of the admin API; the type is what the client is made from. */
export function adminRoutes(context: AdminContext) {
  return new Hono()
    .route("/", accountRoutes(context))
    .route("/", loginRoutes(context))
    .route("/", operateRoutes(context))
    .route("/", runtimeRoutes(context));
}

export type AdminApi = ReturnType<typeof adminRoutes>;

/** Everything, for the unix socket. */
export function trustedApp(context: AdminContext): Hono {
  return localApp(context);
}

/** What the unix socket answers before it comes to the app, whose way takes longer than this answer does. */
export function quickRoutes({ shortStatus }: QuickContext) {
  return {
    "/admin/short-status": () => {
      const line = shortStatus();
      return line === undefined ? new Response("", { status: 404 }) : new Response(`${line}\n`);
    },
  };
}

/** What the TCP port answers itself. */
export function publicPaths(
  context: AdminContext,
  access: Access,
  admission: Pick<Admission, "enter">,
): LocalPaths {
  const app = localApp({ ...context, accounts: fromNetwork(context.accounts) }, locked(access, admission));
  return {
    handles: (method, path) => isObservePath(method, path) || isTokenPath(method, path) || hasOwnLock(path),
    fetch: (request) => app.fetch(request),
  };
}

// --- internal ---

/** Stubs are for those who may send requests, too. */
const CLIENT_PATH = "/admin/runtime-auth";
/** A proxy in front passes calls on (they name the proxy that is meant), but makes no keys. */
const PARENT_PATH = /^\/admin\/(?!key)|^\/logs$/;

function localApp(context: AdminContext, lock?: MiddlewareHandler): Hono {
  const app = withErrors(new Hono());
  const relay = relayed(context);
  // Before the lock: who proves something here has proved nothing yet.
  app.route("/", challengeRoutes(context));
  for (const path of ["/admin/*", "/logs"]) {
    if (lock !== undefined) app.use(path, lock);
    app.use(path, smallBodies);
    if (lock !== undefined) app.use(path, provenBody);
    app.use(path, jsonOnly, relay);
  }
  return app
    .route("/", observeRoutes(context))
    .route("/", tokenRoutes(context))
    .route("/", adminRoutes(context));
}

function refusalOf(shown: string | undefined, role: Role | undefined): string {
  if (role !== undefined) return "this key does not open the admin API, which needs the admin token";
  return shown === undefined
    ? "the admin API needs the admin token"
    : "what was shown is not the admin token of this proxy, nor a key of it";
}

function opens(role: Role | undefined, path: string, isRelayed: boolean): boolean {
  switch (role) {
    case "admin":
      return true;
    case "parent":
      return (isRelayed && PARENT_PATH.test(path)) || path === CLIENT_PATH;
    case "client":
      return path === CLIENT_PATH;
    case undefined:
      return false;
    default:
      return role satisfies never;
  }
}

/** Whoever may send a login here may not bring programs to this machine. */
function fromNetwork(accounts: AccountOps): AccountOps {
  return {
    ...accounts,
    import: (alias, { config, ...files }) => {
      const taken = config === undefined ? undefined : networkSettings(config).config;
      return accounts.import(alias, { ...files, config: taken });
    },
  };
}

/** Who was let in by the lock; undefined behind the socket. */
interface Admitted {
  readonly Variables: { readonly holder?: Holder };
}

function locked(access: Access, admission: Pick<Admission, "enter">): MiddlewareHandler<Admitted> {
  return async (c, next) => {
    const holder = access.holderOf(c.req.raw);
    const role = holder?.role;
    c.set("holder", holder);
    if (!opens(role, c.req.path, c.req.header(TARGET_HEADER) !== undefined))
      throw new CodexlbError("unauthorized", refusalOf(c.req.header("authorization"), role), {
        next: "give CODEXLB_ADMIN_TOKEN or --admin-token (it is in ROOT/admin.token of the proxy), or run the command on the proxy's machine with its --root",
      });
    await next();
    // A login that is watched goes on for minutes: it ends with the key of who watches.
    if (role === "parent" && holder !== undefined) c.res = endingWith(admission, holder, c.res);
  };
}

/** `response`, whose body is cut when what the holder was let in by ends. */
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
        // Nobody is left who could be told how that went.
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

/** A proof covers the body by its hash, which can be looked at only behind the bound on bodies. */
const provenBody: MiddlewareHandler<Admitted> = async (c, next) => {
  const wanted = c.get("holder")?.bodySha256;
  if (wanted === undefined) return next();
  const bytes = new Uint8Array(await c.req.raw.arrayBuffer());
  if (hashOf(bytes) !== wanted)
    throw new CodexlbError("unauthorized", "the body is not the one that the proof is for");
  if (bytes.byteLength > 0) c.req.raw = new Request(c.req.raw, { body: bytes });
  return next();
};
