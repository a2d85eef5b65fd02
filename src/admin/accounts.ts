// The admin endpoints for accounts, in the Go program's shapes. Bodies are JSON with known fields only.

import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { z } from "zod";
import type { AccountOps } from "../auth/account-ops.ts";
import { CodexlbError } from "../errors.ts";

export function accountRoutes(ops: AccountOps) {
  return new Hono()
    .get("/admin/accounts", async (c) => c.json({ accounts: (await ops.list()).map(listed) }))
    .post("/admin/account/import", body(ImportRequest), async (c) => {
      const { alias, auth, config, replace } = c.req.valid("json");
      const total = await ops.import(alias, {
        auth: `${JSON.stringify(auth, undefined, 2)}\n`,
        config,
        replace,
      });
      return c.json({ ok: true, message: `imported account ${alias}`, total });
    })
    .post("/admin/account/rm", body(AliasRequest), async (c) => {
      const alias = await ops.remove(c.req.valid("json").alias);
      return c.json({ ok: true, message: `removed account ${alias}`, total: (await ops.list()).length });
    })
    .post("/admin/account/pin", body(AliasRequest), async (c) => {
      const alias = await ops.pin(c.req.valid("json").alias);
      return c.json({ ok: true, message: `pinned account ${alias}`, total: (await ops.list()).length });
    })
    .post("/admin/account/unpin", async (c) => {
      await ops.unpin();
      return c.json({ ok: true, message: "unpinned account selection", total: (await ops.list()).length });
    });
}

export type AccountApi = ReturnType<typeof accountRoutes>;

// --- internal ---

const AliasRequest = z.strictObject({ alias: z.string().trim().min(1, "alias is required") });
const ImportRequest = z.strictObject({
  alias: z.string().trim().min(1, "alias is required"),
  auth: z.record(z.string(), z.unknown()),
  config: z.string().optional(),
  replace: z.boolean().default(false),
});

function body<Schema extends z.ZodType>(schema: Schema) {
  return zValidator("json", schema, (result) => {
    if (result.success) return;
    const issue = result.error.issues[0];
    const where = issue?.path.join(".") ?? "";
    throw new CodexlbError(
      "invalid_request",
      `invalid request: ${where === "" ? "" : `${where}: `}${issue?.message ?? ""}`,
    );
  });
}

function listed(account: Awaited<ReturnType<AccountOps["list"]>>[number]) {
  return {
    id: account.id,
    alias: account.alias,
    enabled: account.enabled,
    cooldown_until_ms: account.cooldownUntilMs,
    ...(account.email === undefined ? {} : { user_email: account.email }),
    ...(account.chatgptAccountId === undefined ? {} : { chatgpt_account_id: account.chatgptAccountId }),
    ...(account.chatgptUserId === undefined ? {} : { chatgpt_user_id: account.chatgptUserId }),
    ...(account.disabledReason === undefined ? {} : { disabled_reason: account.disabledReason }),
  };
}
