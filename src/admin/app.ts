// The local paths of the proxy as Hono apps: one for the TCP port, which anyone on this machine reaches, and one
// for ROOT/admin.sock, whose file permission is the authentication.

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import type { AccountOps } from "../auth/account-ops.ts";
import { adminErrorBody, CodexlbError, messageOf } from "../errors.ts";
import type { LocalPaths } from "../proxy/server.ts";
import { accountRoutes } from "./accounts.ts";
import { isObservePath, type ObserveContext, observeRoutes } from "./observe.ts";
import { isTokenPath, type RuntimeContext, tokenRoutes } from "./runtime.ts";

export type AdminContext = ObserveContext & RuntimeContext & { readonly accounts: AccountOps };

/** Everything, for the unix socket. */
export function trustedApp(context: AdminContext): Hono {
  return withErrors(
    new Hono()
      .route("/", observeRoutes(context))
      .route("/", tokenRoutes(context))
      .route("/", accountRoutes(context.accounts)),
  );
}

/** What is open on the TCP port. Admin paths are refused there, not forwarded. */
export function publicPaths(context: AdminContext): LocalPaths {
  const app = withErrors(
    new Hono()
      .route("/", observeRoutes(context))
      .route("/", tokenRoutes(context))
      .all("/admin/*", () => {
        throw new CodexlbError("unauthorized", "the admin API is not open on this port", {
          next: "run the codexlb command on the machine of the proxy, with the same --root",
        });
      }),
  );
  return {
    handles: (method, path) =>
      isObservePath(method, path) ||
      isTokenPath(method, path) ||
      path.startsWith("/admin/") ||
      path === "/logs",
    fetch: (request) => app.fetch(request),
  };
}

// --- internal ---

function withErrors<App extends Hono>(app: App): App {
  app.onError((error, c) => {
    if (error instanceof CodexlbError) return c.json(adminErrorBody(error), error.status as 400);
    if (error instanceof HTTPException)
      return c.json({ error: error.message, code: "invalid_request" }, error.status);
    return c.json({ error: messageOf(error), code: "internal" }, 500);
  });
  app.notFound((c) => c.json({ error: "admin endpoint not found", code: "not_found" }, 404));
  return app;
}
