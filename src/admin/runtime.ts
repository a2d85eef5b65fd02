// Credentials for Codex itself: stubs that only this proxy knows. No real token ever leaves through here.

import { type Context, Hono } from "hono";
import { z } from "zod";
import { advised } from "../advice.ts";
import type { Access, Holder } from "../auth/access.ts";
import { ROOT_GRANT } from "../auth/stub.ts";
import { parseJson } from "../core/json.ts";
import { keepsIdToken } from "../core/token-request.ts";
import type { ProxyContext } from "../proxy/context.ts";
import { boundedBody } from "./requests.ts";

export interface RuntimeContext {
  readonly pool: ProxyContext["pool"];
  readonly access: Pick<Access, "credentialsFor" | "grantOfRefreshToken">;
}

/** True for the path of `tokenRoutes`. */
export function isTokenPath(method: string, path: string): boolean {
  return method === "POST" && path === "/oauth/token";
}

/**
 * `POST /oauth/token`: a Codex whose stub expires gets a new one for the refresh token of a stub that this proxy made,
 * unless the grant of that stub has ended. With `?id_token=keep` it keeps its id token. JSON (today's) and form bodies (older).
 */
export function tokenRoutes({ access, pool }: RuntimeContext): Hono {
  const app = new Hono();
  app.post("/oauth/token", boundedBody(TOKEN_LIMIT_BYTES), async (c) => {
    const asked = TokenRequest.safeParse(await readFields(c));
    if (!asked.success || (asked.data.grant_type ?? "refresh_token") !== "refresh_token")
      return c.json(
        oauthError("unsupported_grant_type", "unsupported grant_type", "use grant_type refresh_token"),
        400,
      );
    const grant = access.grantOfRefreshToken(asked.data.refresh_token ?? "");
    if (grant === undefined)
      return c.json(
        oauthError(
          "invalid_grant",
          "invalid runtime refresh token",
          `start Codex again with ${advised("run")}`,
        ),
        401,
      );
    const { stub } = access.credentialsFor(grant, pool.usage().planType);
    const { access_token, id_token, refresh_token } = stub.tokens;
    const tokens = { access_token, refresh_token, token_type: "Bearer" };
    return c.json(keepsIdToken(c.req.query()) ? tokens : { ...tokens, id_token });
  });
  return app;
}

/**
 * `GET /admin/runtime-auth`: a stub for a Codex on another machine, even if there are no accounts yet. It is tied to
 * the key that requests it, or to the root if it is requested over the socket.
 */
export function runtimeRoutes({ access, pool }: RuntimeContext) {
  return new Hono<{ Variables: { holder?: Holder } }>().get("/admin/runtime-auth", (c) => {
    const grant = c.get("holder")?.grant ?? ROOT_GRANT;
    const { stub, pathKey } = access.credentialsFor(grant, pool.usage().planType);
    return c.json({ auth: stub, path_key: pathKey });
  });
}

// --- internal ---

/** An error with a code of OAuth (RFC 6749, 5.2) in the shape of the admin API's errors; `error` is the Go program's. */
function oauthError(code: string, message: string, next: string) {
  return { error: message, code, message, next };
}

/** A token has about 1 KiB. */
const TOKEN_LIMIT_BYTES = 64 * 1024;

const TokenRequest = z.looseObject({
  grant_type: z.string().optional(),
  refresh_token: z.string().optional(),
});

async function readFields(c: Context): Promise<unknown> {
  const text = await c.req.text();
  const json = parseJson(text);
  return typeof json === "object" && json !== null
    ? json
    : { ...c.req.query(), ...Object.fromEntries(new URLSearchParams(text)) };
}
