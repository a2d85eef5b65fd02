// The admin endpoints about the proxy itself: its version, settings, event log and keys.

import { Hono } from "hono";
import { z } from "zod";
import type { KeyInfo, KeyOps } from "../auth/keys.ts";
import { KEY_ROLES } from "../auth/keys-file.ts";
import type { SharingState } from "../cluster/sharing.ts";
import { normalizedTags } from "../core/account-options.ts";
import { DASHBOARD_PATH } from "../core/dashboard-path.ts";
import { KeyLimitFields, keyFields, limitChangesOf } from "../core/key-limit-fields.ts";
import { changedLimits, type KeyLimitChanges, normalizedModels } from "../core/key-limits.ts";
import { docsPage } from "../core/project-pages.ts";
import { CodexlbError } from "../errors.ts";
import type { ChannelTest } from "../notify/channels.ts";
import type { ShownSetting } from "../state/config-source.ts";
import type { EventLog } from "../state/events.ts";
import { readLogLines } from "../state/log-parts.ts";
import type { Pool } from "../upstream/pool.ts";
import { COMMIT, VERSION } from "../version.ts";
import { explanationFor } from "./explain.ts";
import { body, NEXT_OFFSET_HEADER, requiredText } from "./requests.ts";
import { sharingBody, unsentField } from "./sharing-fields.ts";

export interface OperateContext {
  readonly pool: Pick<Pool, "explain">;
  readonly keys: KeyOps;
  readonly events: EventLog;
  /** Path of the event log. */
  readonly eventsPath: string;
  /** The settings in effect. */
  readonly settings: () => readonly ShownSetting[];
  readonly about: () => ProxyInfo;
  /** What the proxy shares with other replicas; undefined if it works alone. */
  readonly sharing: () => SharingState | undefined;
  /** Sends a test message through every channel in the settings. */
  readonly testNotifications: () => Promise<readonly ChannelTest[]>;
  /** Creates a link to the dashboard. Throws `dashboard_off`. */
  readonly dashboardLink: () => DashboardLink;
  readonly presence: {
    /** Registers a client until the returned function is called. */
    enter(): () => void;
  };
}

export interface DashboardLink {
  /** Works once. */
  readonly token: string;
  readonly lifetimeMs: number;
}

export interface ProxyInfo {
  readonly name: string;
  readonly root: string;
  /** The URL for clients, such as `http://127.0.0.1:8765`. */
  readonly url: string;
  /** True while the proxy shuts down: it finishes requests in flight and accepts no new ones. */
  readonly draining: boolean;
  readonly pid: number;
  readonly startedMs: number;
  /** The token endpoint of the accounts. */
  readonly tokenUrl: string;
}

export function operateRoutes(context: OperateContext) {
  const { pool, keys, events, eventsPath, settings, about, sharing } = context;
  const { presence, testNotifications, dashboardLink } = context;
  return new Hono()
    .get("/admin/version", (c) => c.json(versionBody(about())))
    .get("/admin/config", (c) => c.json({ settings: settings().map(shown) }))
    .get("/admin/cluster", (c) => c.json({ cluster: sharingBody(sharing()) }))
    .get("/admin/explain", (c) => c.json(explanationFor(pool, (name) => c.req.query(name))))
    .get("/admin/keys", async (c) => c.json({ keys: (await keys.list()).map(keyBody) }))
    .post("/admin/key/add", body("key", KeyRequest), async (c) => {
      const { name, role, tags, only, ...fields } = c.req.valid("json");
      const demand = tags.length === 0 ? undefined : { tags: normalizedTags(tags), only };
      const limits = changedLimits(undefined, limitsIn(fields));
      const key = await keys.add(name, role, demand, limits);
      return c.json({ ok: true, key, ...unsentField(sharing()) });
    })
    .post("/admin/key/set", body("key", KeyChangeRequest), async (c) => {
      const { name, tags, only, ...fields } = c.req.valid("json");
      const demand = tags && (tags.length === 0 ? null : { tags: normalizedTags(tags), only });
      await keys.set(name, { tags: demand, limits: limitsIn(fields) });
      return c.json({ ok: true, ...unsentField(sharing()) });
    })
    .post("/admin/key/rm", body("key", KeyName), async (c) => {
      await keys.remove(c.req.valid("json").name);
      return c.json({ ok: true, ...unsentField(sharing()) });
    })
    .post("/admin/notify/test", body("notify", Nothing), async (c) =>
      c.json({ ways: (await testNotifications()).map(testBody) }),
    )
    .post("/admin/dashboard/link", body("dashboard link", Nothing), (c) => {
      const { token, lifetimeMs } = dashboardLink();
      return c.json({ path: `${DASHBOARD_PATH}#${token}`, expires_in_seconds: lifetimeMs / 1000 });
    })
    .get("/admin/presence", (c) => {
      const leave = presence.enter();
      c.req.raw.signal.addEventListener("abort", leave, { once: true });
      // The body never ends: the client counts as present while the connection is open.
      return c.body(new ReadableStream({ start: (controller) => controller.enqueue(HERE), cancel: leave }));
    })
    .get("/logs", (c) => {
      // Write pending events first, so that the reader sees everything up to the request.
      events.flush();
      const lines = readLogLines(eventsPath, {
        offset: wholeNumber(c.req.query("offset"), "offset", 0),
        tail: wholeNumber(c.req.query("tail"), "tail", 1) ?? DEFAULT_TAIL,
        limit: Math.min(limitOf(c.req.query("limit")), MOST_LINES),
      });
      return c.body(lines.text, 200, {
        "content-type": "application/x-ndjson",
        [NEXT_OFFSET_HEADER]: String(lines.nextOffset),
      });
    });
}

// --- internal ---

/** The head of a response is sent together with the first part of its body. */
const HERE = new TextEncoder().encode("\n");
const DEFAULT_TAIL = 100;
const DEFAULT_LIMIT = 500;
const MOST_LINES = 2_000;

const Nothing = z.strictObject({});
const KeyName = z.strictObject({ name: requiredText("name") });
const Tags = z.array(z.string({ error: "must be a string" }), { error: "must be a list" });
const KeyFields = KeyName.extend({
  ...KeyLimitFields.shape,
  /** True: accounts without one of the tags never serve the key. */
  only: z.boolean({ error: "must be true or false" }).default(false),
});
const KeyRequest = KeyFields.extend({ role: z.enum(KEY_ROLES).default("client"), tags: Tags.default([]) });
/** A field that is absent changes nothing, and null removes the tags or the limit. */
const KeyChangeRequest = KeyFields.extend({ tags: Tags.nullish() });

function limitsIn(fields: KeyLimitFields): KeyLimitChanges {
  const { models, ...limits } = limitChangesOf(fields);
  return { ...limits, models: models && normalizedModels(models) };
}

function versionBody({ startedMs, tokenUrl, ...info }: ProxyInfo) {
  return { version: VERSION, commit: COMMIT, ...info, token_url: tokenUrl, started_at_ms: startedMs };
}

function keyBody({ name, role, tags, createdMs, lastUsedMs, ...limited }: KeyInfo) {
  const fields = keyFields(limited);
  return { name, role, ...tags, created_at_ms: createdMs, last_used_at_ms: lastUsedMs, ...fields };
}

/** The result of a test, with the names that clients of all versions read. */
function testBody({ channel, error }: ChannelTest): { way: string; error: string | undefined } {
  return { way: channel, error };
}

/** A setting in the response. */
function shown({ key, value, source }: ShownSetting): { key: string; value: unknown; source: string } {
  return { key, value, source };
}

/** Lines of a page. The Go program's client sends 0 and less for the default. */
function limitOf(text: string | undefined): number {
  const limit = wholeNumber(text, "limit", Number.MIN_SAFE_INTEGER) ?? 0;
  return limit > 0 ? limit : DEFAULT_LIMIT;
}

/** The number in the query parameter `name`; undefined if it has no value. Throws `invalid_request`. */
function wholeNumber(text: string | undefined, name: string, least: number): number | undefined {
  if (text === undefined || text === "") return undefined;
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  const range = least >= 0 ? ` of at least ${least}` : "";
  throw new CodexlbError("invalid_request", `${name} must be a whole number${range}`, {
    next: `correct the request; its parameters are listed on ${docsPage("admin-api")}`,
  });
}
