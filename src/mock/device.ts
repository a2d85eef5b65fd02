// The device flow of `codex login --device-auth`: a code, which no user has to enter here, and its exchange for tokens.

import { Hono } from "hono";
import { z } from "zod";
import type { MockAccount } from "./accounts.ts";
import type { MockContext } from "./context.ts";
import { controlError } from "./control-error.ts";
import type { SignIn } from "./sign-in.ts";

/** `POST /__mock/login {"alias": …}` chooses the account that logs in next. The default is the first account. */
export function deviceRoutes(context: MockContext): Hono {
  const app = new Hono();
  let next = context.accounts.all[0]?.alias;
  app.post("/__mock/login", async (c) => {
    const asked = z.object({ alias: z.string() }).safeParse(await c.req.json().catch(() => undefined));
    const known = context.accounts.all.some(({ alias }) => alias === asked.data?.alias);
    if (!asked.success || !known)
      return controlError(
        '"alias" must name an account',
        `send {"alias": "NAME"} with one of: ${context.accounts.all.map(({ alias }) => alias).join(", ")}`,
      );
    next = asked.data.alias;
    return c.json({ ok: true });
  });
  app.post("/api/accounts/deviceauth/usercode", (c) =>
    next === undefined
      ? c.json({ error: "there are no accounts" }, 400)
      : c.json({
          device_auth_id: `mock-device-${next}`,
          user_code: "MOCK-CODE",
          interval: "1",
          expires_at: new Date(context.clock.now() + CODE_MS).toISOString(),
        }),
  );
  app.post("/api/accounts/deviceauth/token", async (c) => {
    const { device_auth_id } = DeviceToken.parse(await c.req.json());
    return c.json({
      authorization_code: device_auth_id.replace(/^mock-device-/, CODE_PREFIX),
      code_challenge: "mock-challenge",
      code_verifier: "mock-verifier",
    });
  });
  return app;
}

/**
 * The response to `grant_type=authorization_code` at the token endpoint, for a code of the device flow or of the
 * sign-in in a browser; undefined for other requests.
 */
export function exchangeCode(
  { accounts }: MockContext,
  signIn: Pick<SignIn, "redeem">,
  fields: unknown,
): Response | undefined {
  const asked = CodeGrant.safeParse(fields);
  if (!asked.success) return undefined;
  const { code, code_verifier } = asked.data;
  const account: MockAccount | undefined = code.startsWith(CODE_PREFIX)
    ? accounts.all.find((one) => one.alias === code.slice(CODE_PREFIX.length))
    : signIn.redeem(code, code_verifier);
  if (account === undefined)
    return Response.json({ error: { code: "invalid_grant", message: "unknown code" } }, { status: 400 });
  return Response.json({ ...accounts.issue(account), token_type: "Bearer" });
}

// --- internal ---

const CODE_MS = 15 * 60_000;
const CODE_PREFIX = "mock-code-";

const DeviceToken = z.looseObject({ device_auth_id: z.string() });
const CodeGrant = z.looseObject({
  grant_type: z.literal("authorization_code"),
  code: z.string(),
  code_verifier: z.string().default(""),
});
