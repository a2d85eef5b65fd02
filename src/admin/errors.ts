// Errors of the admin API: `{"error": "<text>", "code": "<code>", "message": "<what failed>", "next": "<what to do>"}`.

import type { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { docsPage, REPORT_BUG } from "../core/project-pages.ts";
import { adminErrorBody, CodexlbError, messageOf } from "../errors.ts";

/** `app` with errors and unknown paths in the API's shape. */
export function withErrors<App extends Hono>(app: App): App {
  app.onError((thrown, c) => {
    const error = asCodexlbError(thrown);
    if (error.status === 401) c.header("www-authenticate", "Bearer");
    const status = thrown instanceof HTTPException ? thrown.status : (error.status as 400);
    return c.json(adminErrorBody(error), status);
  });
  app.notFound((c) => c.json(adminErrorBody(endpointNotFound()), 404));
  return app;
}

// --- internal ---

function asCodexlbError(thrown: unknown): CodexlbError {
  if (thrown instanceof CodexlbError) return thrown;
  if (thrown instanceof HTTPException)
    return new CodexlbError("invalid_request", thrown.message, {
      next: `correct the request: ${docsPage("admin-api")}`,
    });
  return new CodexlbError("internal", messageOf(thrown), { next: REPORT_BUG });
}

function endpointNotFound(): CodexlbError {
  return new CodexlbError("not_found", "admin endpoint not found", {
    next: `use an endpoint that is listed on ${docsPage("admin-api")}`,
    isExact: true,
  });
}
