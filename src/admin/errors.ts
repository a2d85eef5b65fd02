// Errors of the admin API: `{"error": "<text>", "code": "<code>", "message": "<what failed>", "next": "<what to do>"}`.

import type { Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { docsPage, REPORT_BUG } from "../core/project-pages.ts";
import { adminErrorBody, CodexlbError, messageOf } from "../errors.ts";
import { notJson } from "./requests.ts";

/**
 * `app` with errors, unknown paths and wrong methods in the API's shape. `notFound` makes the error for an unknown path;
 * default: that of the admin API.
 */
export function withErrors<App extends Hono>(app: App, notFound = endpointNotFound): App {
  const answer = (thrown: unknown, c: Context) => {
    const error = asCodexlbError(thrown);
    if (error.status === 401) c.header("www-authenticate", "Bearer");
    const status = thrown instanceof HTTPException ? thrown.status : (error.status as 400);
    return c.json(adminErrorBody(error), status);
  };
  app.onError(answer);
  app.notFound((c) => {
    const methods = methodsOf(app, c.req.path);
    return answer(methods.length === 0 ? notFound() : methodRefused(c, methods), c);
  });
  return app;
}

/** The error for a request with a method that its path does not support. Sets the header that a 405 requires. */
export function methodRefused(c: Context, allowed: readonly string[]): CodexlbError {
  c.header("allow", allowed.join(", "));
  return new CodexlbError("method_refused", `${c.req.path} does not support ${c.req.raw.method}`, {
    next: `use ${allowed.join(" or ")}`,
  });
}

// --- internal ---

/** The methods of the routes of `app` at exactly `path`. */
function methodsOf(app: Hono, path: string): string[] {
  const methods = app.routes.filter((route) => route.path === path && route.method !== "ALL");
  return [...new Set(methods.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method])))];
}

function asCodexlbError(thrown: unknown): CodexlbError {
  if (thrown instanceof CodexlbError) return thrown;
  if (thrown instanceof HTTPException) {
    // Of the framework, which parses the body.
    if (thrown.message.startsWith("Malformed JSON")) return notJson();
    return new CodexlbError("invalid_request", thrown.message, {
      next: `correct the request: ${docsPage("admin-api")}`,
    });
  }
  return new CodexlbError("internal", messageOf(thrown), { next: REPORT_BUG });
}

function endpointNotFound(): CodexlbError {
  return new CodexlbError("not_found", "admin endpoint not found", {
    next: `use an endpoint that is listed on ${docsPage("admin-api")}`,
    isExact: true,
  });
}
