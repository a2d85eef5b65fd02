// The dashboard: its page, and the paths below `/_/` that the page uses.

import { Hono } from "hono";
import { z } from "zod";
import { methodRefused, withErrors } from "../admin/errors.ts";
import { explanationFor } from "../admin/explain.ts";
import type { UsageContext } from "../admin/read-usage.ts";
import { body, boundedBody, jsonOnly, requiredText } from "../admin/requests.ts";
import { advised } from "../advice.ts";
import type { AccountOps } from "../auth/account-ops.ts";
import { DASHBOARD_PATH } from "../core/dashboard-path.ts";
import { CodexlbError } from "../errors.ts";
import type { ShownSetting } from "../state/config-source.ts";
import { type DoorContext, requireSession, sessionRoute } from "./door.ts";
import { withPageHeaders } from "./headers.ts";
import { ACCOUNT_ACTIONS, type AccountChange } from "./messages.ts";
import { ICON_SVG, INDEX_HTML, pageFiles } from "./page-files.ts";
import { createStreams, type StreamsContext } from "./stream.ts";
import { usageAnswer } from "./usage.ts";

export interface DashboardContext extends StreamsContext, DoorContext, UsageContext {
  readonly deps: StreamsContext["deps"] & UsageContext["deps"];
  readonly usage: StreamsContext["usage"] & UsageContext["usage"];
  readonly accounts: Pick<AccountOps, "pin" | "unpin" | "serve">;
  /** The settings in effect, without secrets. */
  readonly settings: () => readonly ShownSetting[];
  /** Why the dashboard is not served; undefined if it is. */
  readonly problem: () => CodexlbError | undefined;
}

export interface Dashboard {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Ends the event streams, so that the proxy can shut down. */
  close(): void;
}

export function createDashboard(context: DashboardContext): Dashboard {
  const { problem, pool, accounts, settings } = context;
  const streams = createStreams(context);
  const path = <Name extends string>(name: Name) => `${DASHBOARD_PATH}${name}` as const;
  const app = withErrors(new Hono(), pathNotFound);
  app.use(withPageHeaders);
  app.use(async (_, next) => {
    const why = problem();
    if (why !== undefined) throw why;
    await next();
  });
  app.get(DASHBOARD_PATH, (c) => c.html(INDEX_HTML));
  app.get(path("page.js"), async (c) =>
    c.body((await pageFiles()).script, 200, { "content-type": "text/javascript; charset=utf-8" }),
  );
  app.get(path("page.css"), async (c) =>
    c.body((await pageFiles()).style, 200, { "content-type": "text/css; charset=utf-8" }),
  );
  app.get(path("icon.svg"), (c) => c.body(ICON_SVG, 200, { "content-type": "image/svg+xml" }));
  app.route("/", sessionRoute(context));
  for (const name of LOCKED) app.use(path(name), requireSession(context));
  app.get(path("events"), (c) => {
    // Its body would be a stream that is never read, and so never closed.
    if (c.req.raw.method === "HEAD") throw methodRefused(c, ["GET"]);
    return c.body(streams.open(offsetIn(c.req.query("since"))), 200, { "content-type": "text/event-stream" });
  });
  app.get(path("explain"), (c) => c.json(explanationFor(pool, (name) => c.req.query(name))));
  app.get(path("usage"), async (c) => c.json(await usageAnswer(context, (name) => c.req.query(name))));
  app.get(path("settings"), (c) => c.json({ settings: settings() }));
  app.post(path("account"), boundedBody(CHANGE_LIMIT_BYTES), jsonOnly, body("change", Change), async (c) => {
    await apply(accounts, c.req.valid("json"));
    return c.json({ ok: true });
  });
  return { fetch: (request) => app.fetch(request), close: streams.close };
}

// --- internal ---

const LOCKED = ["events", "explain", "usage", "settings", "account"] as const;

const CHANGE_LIMIT_BYTES = 4 * 1024;
const Change = z.discriminatedUnion("action", [
  z.strictObject({ action: z.enum(ACCOUNT_ACTIONS).exclude(["unpin"]), alias: requiredText("alias") }),
  z.strictObject({ action: z.literal("unpin") }),
]) satisfies z.ZodType<AccountChange>;

async function apply(accounts: DashboardContext["accounts"], change: z.output<typeof Change>): Promise<void> {
  if (change.action === "unpin") await accounts.unpin();
  else if (change.action === "pin") await accounts.pin(change.alias);
  else await accounts.serve(change.alias, change.action);
}

function pathNotFound(): CodexlbError {
  return new CodexlbError("not_found", "the dashboard has nothing at this path", {
    next: `open it with: ${advised("dashboard")}`,
  });
}

function offsetIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
