// Errors of the paths that control the simulated backend (`/__mock/...`), in the shape of the admin API's errors. Its
// other errors imitate the real backend.

import { docsPage } from "../core/project-pages.ts";
import { adminErrorBody, CodexlbError } from "../errors.ts";

/** A response with status 400 for a request that is wrong because of `message`; `next` says what to send instead. */
export function controlError(message: string, next: string): Response {
  const error = new CodexlbError("invalid_request", message, { next: `${next} (${docsPage("mock")})` });
  return Response.json(adminErrorBody(error), { status: error.status });
}
