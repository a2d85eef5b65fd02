// The admin endpoint that reports what turns used. A client's key sees only its own turns.

import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { z } from "zod";
import type { Holder } from "../auth/access.ts";
import { TARGET_HEADER } from "../core/hops.ts";
import type { PriceTable } from "../core/prices.ts";
import { docsPage } from "../core/project-pages.ts";
import { USAGE_GROUPINGS, type UsageQuery, type UsageReport, usageLines } from "../core/usage-report.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemProblem } from "../errors.ts";
import { sumUsage } from "../state/usage/usage-query.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";
import type { LockEnv } from "./lock.ts";
import { PLAIN_WORDS } from "./requests.ts";

export interface UsageContext {
  readonly deps: Pick<Deps, "clock">;
  readonly usage: Pick<UsageStore, "reader" | "health">;
  readonly usageSettings: () => { readonly keepDays: number; readonly prices: PriceTable };
}

export function usageRoutes(context: UsageContext) {
  return new Hono<LockEnv>().get("/admin/usage", query(), async (c) => {
    const { since, until, by, account } = c.req.valid("query");
    const asked: UsageQuery = { sinceMs: since, untilMs: until, by, account };
    const isRelayed = c.req.header(TARGET_HEADER) !== undefined;
    return c.json(await reportOf(context, restricted(asked, c.get("holder"), isRelayed)));
  });
}

// --- internal ---

/** The last millisecond of which a date can be made. */
const LAST_MS = 8.64e15;

const ms = (what: string) =>
  z
    .string({ error: `${what} is required: Unix milliseconds` })
    .regex(/^\d{1,16}$/, { error: `${what} must be Unix milliseconds` })
    .transform(Number)
    .refine((value) => value <= LAST_MS, { error: `${what} is too late` });

const Query = z
  .strictObject({
    since: ms("since"),
    until: ms("until"),
    by: z.enum(USAGE_GROUPINGS, { error: `by must be one of ${USAGE_GROUPINGS.join(", ")}` }).default("day"),
    account: z.string().max(200, { error: "account is too long" }).optional(),
  })
  .refine(({ since, until }) => since < until, { error: "since must be before until" });

function query() {
  return zValidator(
    "query",
    Query,
    (result) => {
      if (result.success) return;
      throw new CodexlbError(
        "invalid_request",
        `invalid usage request: ${result.error.issues[0]?.message ?? "it is not valid"}`,
        { next: `correct the request; its parameters are listed on ${docsPage("admin-api")}` },
      );
    },
    PLAIN_WORDS,
  );
}

/** The part of `asked` that the holder may see. Throws `unauthorized` if it asks about accounts it must not know. */
function restricted(asked: UsageQuery, holder: Holder | undefined, isRelayed: boolean): UsageQuery {
  if (holder === undefined || holder.role === "admin" || (holder.role === "parent" && isRelayed))
    return asked;
  if (!holder.readsAccounts && (asked.by === "account" || asked.account !== undefined))
    throw new CodexlbError("unauthorized", "this key can see its own usage, but not the accounts", {
      next: "group by day, model, project or session, or use the admin token",
    });
  return { ...asked, client: holder.name ?? "" };
}

async function reportOf(
  { deps, usage, usageSettings }: UsageContext,
  asked: UsageQuery,
): Promise<UsageReport> {
  const { keepDays, prices } = usageSettings();
  const nowMs = deps.clock.now();
  try {
    const database = usage.reader();
    const sums = database === undefined ? [] : await sumUsage(database, asked, { nowMs, keepDays });
    return {
      since_ms: asked.sinceMs,
      until_ms: asked.untilMs,
      by: asked.by,
      recording: usage.health().kind,
      keep_days: keepDays,
      ...usageLines(sums, asked.by, prices),
    };
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading the usage database: ${systemProblem(error)}`, {
      next: "check the proxy's warnings and the disk of its root",
      cause: error,
    });
  }
}
