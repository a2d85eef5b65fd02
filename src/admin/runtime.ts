// Credentials for Codex itself: stubs that only this proxy knows. No real token ever leaves through here.

import { type Context, Hono } from "hono";
import { z } from "zod";
import { isStubRefreshToken, makeStub, pathKeyOf, type StubAuth } from "../auth/stub.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import type { ProxyContext } from "../proxy/context.ts";

export interface RuntimeContext {
  readonly deps: Pick<Deps, "clock">;
  readonly pool: ProxyContext["pool"];
  /** Signs stubs. */
  readonly signingKey: string;
}

/** True for the path of `tokenRoutes`. */
export function isTokenPath(method: string, path: string): boolean {
  return method === "POST" && path === "/oauth/token";
}

/**
 * `POST /oauth/token`: a Codex that believes its stub has run out gets a new stub, for the refresh token of one that
 * this proxy made. JSON (today's) and form bodies (older).
 */
export function tokenRoutes(context: RuntimeContext): Hono {
  const app = new Hono();
  app.post("/oauth/token", async (c) => {
    const asked = TokenRequest.safeParse(await readFields(c));
    if (!asked.success || (asked.data.grant_type ?? "refresh_token") !== "refresh_token")
      return c.json({ error: "unsupported grant_type", code: "unsupported_grant_type" }, 400);
    if (!isStubRefreshToken(asked.data.refresh_token ?? "", context.signingKey))
      return c.json({ error: "invalid runtime refresh token", code: "invalid_grant" }, 401);
    const { access_token, id_token, refresh_token } = stubNow(context).tokens;
    return c.json({ access_token, id_token, refresh_token, token_type: "Bearer" });
  });
  return app;
}

/** `GET /admin/runtime-auth`: a stub for a Codex on another machine, whether or not there are accounts by now. */
export function runtimeRoutes(context: RuntimeContext) {
  return new Hono().get("/admin/runtime-auth", (c) => {
    return c.json({ auth: stubNow(context), path_key: pathKeyOf(context.signingKey) });
  });
}

// --- internal ---

const TokenRequest = z.looseObject({
  grant_type: z.string().optional(),
  refresh_token: z.string().optional(),
});

function stubNow({ deps, pool, signingKey }: RuntimeContext): StubAuth {
  return makeStub(pool.usage().planType, signingKey, deps.clock.now());
}

async function readFields(c: Context): Promise<unknown> {
  const text = await c.req.text();
  const json = parseJson(text);
  return typeof json === "object" && json !== null
    ? json
    : { ...c.req.query(), ...Object.fromEntries(new URLSearchParams(text)) };
}
