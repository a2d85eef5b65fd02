// How the admin API answers when something is wrong: `{"error": "<text>", "code": "<code>"}`.

import type { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { adminErrorBody, CodexlbError, messageOf } from "../errors.ts";

/** `app` with errors and unknown paths in the API's shape. */
export function withErrors<App extends Hono>(app: App): App {
  app.onError((error, c) => {
    if (error instanceof CodexlbError) {
      if (error.status === 401) c.header("www-authenticate", "Bearer");
      return c.json(adminErrorBody(error), error.status as 400);
    }
    if (error instanceof HTTPException)
      return c.json({ error: error.message, code: "invalid_request" }, error.status);
    return c.json({ error: messageOf(error), code: "internal" }, 500);
  });
  app.notFound((c) => c.json({ error: "admin endpoint not found", code: "not_found" }, 404));
  return app;
}
