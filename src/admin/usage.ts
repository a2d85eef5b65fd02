// The admin endpoint that reports what turns used. A client's key sees only its own turns.

import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { z } from "zod";
import type { Holder } from "../auth/access.ts";
import { type ForecastReport, forecastReport } from "../core/forecast/forecast-report.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import { TARGET_HEADER } from "../core/hops.ts";
import { docsPage } from "../core/project-pages.ts";
import { statusDocument } from "../core/status.ts";
import { USAGE_FILTERS, USAGE_GROUPINGS, type UsageFilter, type UsageQuery } from "../core/usage-report.ts";
import { CodexlbError } from "../errors.ts";
import type { Pool } from "../upstream/pool.ts";
import type { LockEnv } from "./lock.ts";
import { readUsage, type UsageContext } from "./read-usage.ts";
import { PLAIN_WORDS } from "./requests.ts";

export interface UsageRoutesContext extends UsageContext {
  readonly pool: Pick<Pool, "facts" | "view">;
  readonly forecasts: () => Promise<Forecasts | undefined>;
}

export function usageRoutes(context: UsageRoutesContext) {
  return new Hono<LockEnv>().get("/admin/usage", query(), async (c) => {
    const { since, until, ...groups } = c.req.valid("query");
    const asked: UsageQuery = { sinceMs: since, untilMs: until, ...groups };
    const isRelayed = c.req.header(TARGET_HEADER) !== undefined;
    const holder = c.get("holder");
    const { report } = await readUsage(context, restricted(asked, holder, isRelayed));
    const showsForecast =
      until > context.deps.clock.now() && seesAccounts(holder, isRelayed) && !isPartOfAccounts(asked);
    const forecast = showsForecast ? await forecastOf(context, asked.account) : undefined;
    return c.json({ ...report, ...(forecast === undefined ? {} : { forecast }) });
  });
}

// --- internal ---

/** The longest text in the record, in UTF-16 units. */
const LONGEST_FILTER = 300;

/** The last millisecond of which a date can be made. */
const LAST_MS = 8.64e15;

const ms = (what: string) =>
  z
    .string({ error: `${what} is required: Unix milliseconds` })
    .regex(/^\d{1,16}$/, { error: `${what} must be Unix milliseconds` })
    .transform(Number)
    .refine((value) => value <= LAST_MS, { error: `${what} is too late` });

function filterFields() {
  const field = (name: UsageFilter) => z.string().max(LONGEST_FILTER, { error: `${name} is too long` });
  return Object.fromEntries(USAGE_FILTERS.map((name) => [name, field(name).optional()] as const)) as Record<
    UsageFilter,
    z.ZodOptional<z.ZodString>
  >;
}

const Query = z
  .strictObject({
    since: ms("since"),
    until: ms("until"),
    by: z.enum(USAGE_GROUPINGS, { error: `by must be one of ${USAGE_GROUPINGS.join(", ")}` }).default("day"),
    ...filterFields(),
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
  if (holder === undefined || seesEverything(holder, isRelayed)) return asked;
  const isAboutUpstreams = asked.by === "account" || asked.by === "proxy" || asked.account !== undefined;
  if (isAboutUpstreams && !seesAccounts(holder, isRelayed))
    throw new CodexlbError("unauthorized", "this key can see its own usage, but not accounts or proxies", {
      next: "group by day, model, project or session, or use the admin token",
    });
  const own = holder.name ?? "";
  if (asked.key !== undefined && asked.key !== own)
    throw new CodexlbError("unauthorized", "this key can see only its own usage", {
      next: "leave out the name of the key, or use the admin token",
    });
  return { ...asked, key: own };
}

/** True if the report has only a part of the turns of its accounts, of which there is no forecast. */
function isPartOfAccounts(query: UsageQuery): boolean {
  return USAGE_FILTERS.some((name) => name !== "account" && query[name] !== undefined);
}

/** `holder`: undefined for the unix socket. */
function seesEverything(holder: Holder | undefined, isRelayed: boolean): boolean {
  return holder === undefined || holder.role === "admin" || (holder.role === "parent" && isRelayed);
}

function seesAccounts(holder: Holder | undefined, isRelayed: boolean): boolean {
  return seesEverything(holder, isRelayed) || holder?.readsAccounts === true;
}

async function forecastOf(
  { pool, forecasts }: UsageRoutesContext,
  account: string | undefined,
): Promise<ForecastReport | undefined> {
  const known = await forecasts();
  return known && forecastReport(statusDocument(pool.facts(), pool.view(), known), account);
}
