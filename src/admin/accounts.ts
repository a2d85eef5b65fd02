// The admin endpoints for accounts, in the Go program's shapes.

import { Hono } from "hono";
import { z } from "zod";
import type { AccountOps, Service } from "../auth/account-ops.ts";
import { withReplaceNext } from "../auth/enrol.ts";
import type { SharingState } from "../cluster/sharing.ts";
import { OptionChangeFields, optionsOfFields } from "../core/option-fields.ts";
import { CodexlbError } from "../errors.ts";
import { body, jsonIfAny, requiredText } from "./requests.ts";
import { unsentField } from "./sharing-fields.ts";

export interface AccountContext {
  readonly accounts: AccountOps;
  /** Undefined for a proxy that works alone. */
  readonly sharing: () => SharingState | undefined;
}

export function accountRoutes({ accounts: ops, sharing }: AccountContext) {
  const done = async (message: string) => ({
    ok: true,
    message,
    total: (await ops.list()).length,
    ...unsentField(sharing()),
  });
  const changed = async (past: string, alias: string) => ({
    ...(await done(`${past} account ${alias}`)),
    alias,
  });
  const serve = async (service: Service, name: string) => {
    const { alias, endedCooldown, isPinned } = await ops.serve(name, service);
    return { ...(await changed(PAST[service], alias)), ended_cooldown: endedCooldown, is_pinned: isPinned };
  };
  return new Hono()
    .get("/admin/accounts", async (c) => c.json({ accounts: [...(await ops.list())] }))
    .get("/admin/account/show", async (c) => {
      const alias = c.req.query("alias")?.trim();
      if (!alias)
        throw new CodexlbError("invalid_request", "alias is required", { next: "add ?alias=ALIAS" });
      return c.json(await ops.show(alias));
    })
    .post("/admin/account/import", body("import", ImportRequest), async (c) => {
      const { alias, auth, config, replace } = c.req.valid("json");
      if (auth === undefined)
        throw new CodexlbError("invalid_request", "auth is required", {
          next: "send the content of the auth.json itself; this proxy does not read paths named in requests",
        });
      const text = `${JSON.stringify(auth, undefined, 2)}\n`;
      const { total, change } = await ops.import(alias, { auth: text, config, replace }).catch((error) => {
        throw withReplaceNext(error, 'set "replace": true');
      });
      const message = `imported account ${alias}`;
      return c.json({ ok: true, message, total, alias, change, ...unsentField(sharing()) });
    })
    .post("/admin/account/rm", body("rm", AliasRequest), async (c) => {
      const { alias, wasPinned } = await ops.remove(c.req.valid("json").alias);
      return c.json({ ...(await changed("removed", alias)), was_pinned: wasPinned });
    })
    .post("/admin/account/pin", body("pin", AliasRequest), async (c) => {
      const { alias, listed } = await ops.pin(c.req.valid("json").alias);
      return c.json({ ...(await changed("pinned", alias)), account: listed });
    })
    .post("/admin/account/unpin", jsonIfAny, async (c) => {
      const wasPinned = await ops.unpin();
      return c.json({ ...(await done("unpinned account selection")), was_pinned: wasPinned });
    })
    .post("/admin/account/enable", body("enable", AliasRequest), async (c) =>
      c.json(await serve("enable", c.req.valid("json").alias)),
    )
    .post("/admin/account/disable", body("disable", AliasRequest), async (c) =>
      c.json(await serve("disable", c.req.valid("json").alias)),
    )
    .post("/admin/account/set", body("set", SetRequest), async (c) => {
      const { alias, outbound_proxy: proxy, ...fields } = c.req.valid("json");
      const set = await ops.set(alias, {
        outboundProxy: proxy === undefined ? undefined : proxy || null,
        options: optionsOfFields(fields),
      });
      return c.json({ ...(await changed("changed", set.alias)), overruled: set.overruled });
    })
    .post("/admin/account/redeem", body("redeem", RedeemRequest), async (c) => {
      const { alias: name, check } = c.req.valid("json");
      if (check) {
        const { alias, unfinishedSinceMs } = await ops.checkRedeem(name);
        return c.json({
          ...(await done(`a reset credit of account ${alias} can be spent`)),
          alias,
          unfinished_since_ms: unfinishedSinceMs,
        });
      }
      const { alias, repeated, windowsReset, creditsLeft, problem } = await ops.redeem(name);
      return c.json({
        ...(await done(`spent a reset credit of account ${alias}`)),
        alias,
        repeated,
        windows_reset: windowsReset,
        credits_left: creditsLeft,
        problem,
      });
    })
    .post("/admin/account/drain", body("drain", AliasRequest), async (c) =>
      c.json(await serve("drain", c.req.valid("json").alias)),
    );
}

/** The words for completed operations in responses. */
export const PAST: Readonly<Record<Service, string>> = {
  enable: "enabled",
  disable: "disabled",
  drain: "draining",
};

// --- internal ---

const AliasRequest = z.strictObject({ alias: requiredText("alias") });
const SetRequest = z.strictObject({
  alias: requiredText("alias"),
  /** "": use the configured proxy. */
  outbound_proxy: z.string({ error: "must be a string" }).trim().optional(),
  ...OptionChangeFields.shape,
});
const RedeemRequest = z.strictObject({
  alias: requiredText("alias"),
  /** Only checks whether a credit can be spent. */
  check: z.boolean().default(false),
});
const ImportRequest = z.strictObject({
  alias: requiredText("alias"),
  auth: z.record(z.string(), z.unknown()).optional(),
  config: z.string().optional(),
  /** Accepted because the Go program's clients send it, but ignored. */
  from_home: z.string().optional(),
  replace: z.boolean().default(false),
});
