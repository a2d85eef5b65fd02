// Schemas of the admin API's responses, with the fields that commands read.

import { z } from "zod";
import { ListedAccount } from "../auth/account-ops.ts";
import { KEY_ROLES } from "../auth/keys-file.ts";
import { StubAuth } from "../auth/stub.ts";
import { KeyLimitFields, KeyUseFields, limitChangesOf } from "../core/key-limit-fields.ts";
import { changedLimits } from "../core/key-limits.ts";

/** `GET /admin/accounts`. The Go program returns null for an empty list. */
export const AccountList = z.looseObject({
  accounts: z
    .array(ListedAccount)
    .nullable()
    .transform((accounts) => accounts ?? []),
});

/** The operators' changes that the other replicas do not have yet. */
export type UnsentChanges = z.output<typeof UnsentChanges>;
const UnsentChanges = z.object({
  pool: z.string(),
  count: z.number(),
  /** Why the server cannot be used; absent if it can, and the changes are on their way. */
  error: z.string().optional(),
});

/** The response to every change of an account or a key. */
export type ChangeResponse = z.output<typeof ChangeResponse>;
export const ChangeResponse = z.looseObject({
  ok: z.literal(true),
  message: z.string().default(""),
  total: z.number().default(0),
  /** Only replicas send it, and older ones do not. */
  unsent_changes: UnsentChanges.optional(),
  /** The account that was changed. The Go program and older proxies name it only in `message`. */
  alias: z.string().optional(),
  /** After `rm` and `unpin`: whether an account was pinned. Only new proxies send this and the next fields. */
  was_pinned: z.boolean().optional(),
  /** After `enable`: whether that ended a cooldown. */
  ended_cooldown: z.boolean().optional(),
  /** After `enable`, `disable` and `drain`: whether the account is pinned. */
  is_pinned: z.boolean().optional(),
  /** After `set`: the changed options for which config.toml has a value, which wins. */
  overruled: z.array(z.string()).optional(),
});

/** `POST /admin/account/import`. */
export const ImportResponse = ChangeResponse.extend({
  /** What the import did. The Go program and older proxies do not send it. */
  change: z.enum(["imported", "updated", "unchanged"]).default("imported"),
});

/** `POST /admin/account/redeem`. */
export const RedeemResponse = ChangeResponse.extend({
  /** After a check: when an earlier request whose outcome is unknown was first sent, Unix ms. */
  unfinished_since_ms: z.number().optional(),
  repeated: z.boolean().default(false),
  windows_reset: z.number().default(0),
  credits_left: z.number().optional(),
  /** Why the account's new credits could not be read. */
  problem: z.string().optional(),
});

/** `POST /admin/account/pin`. */
export const PinResponse = ChangeResponse.extend({
  /** The account, as in `GET /admin/accounts`. The Go program and older proxies do not send it. */
  account: ListedAccount.optional(),
});

/** `GET /admin/keys`. */
export const KeyList = z.looseObject({
  keys: z.array(
    z
      .object({
        name: z.string(),
        role: z.enum(KEY_ROLES),
        created_at_ms: z.number(),
        last_used_at_ms: z.number().optional(),
        tags: z.array(z.string()).optional(),
        only: z.boolean().default(false),
        ...KeyLimitFields.shape,
        use: KeyUseFields.optional(),
      })
      .transform(({ name, role, created_at_ms, last_used_at_ms, tags, only, use, ...fields }) => ({
        name,
        role,
        tags: tags && { tags, only },
        createdMs: created_at_ms,
        lastUsedMs: last_used_at_ms,
        limits: changedLimits(undefined, limitChangesOf(fields)),
        use: use && {
          turnsLastMinute: use.turns_last_minute,
          tokensToday: use.tokens_today,
          dayEndsMs: use.day_ends_at_ms,
        },
      })),
  ),
});

/** `POST /admin/key/add`. */
export const NewKey = ChangeResponse.extend({ key: z.string() });

/** `GET /admin/runtime-auth`. */
export const Stub = z.looseObject({ auth: StubAuth, path_key: z.string().optional() });

/** `POST /admin/dashboard/link`: the link's path on the proxy's address. */
export const DashboardLinkAnswer = z.looseObject({
  path: z.string().regex(/^\/_\/#[\w-]+$/),
  expires_in_seconds: z.number(),
});

/** `GET /admin/config`. */
export const Settings = z.looseObject({
  settings: z.array(z.looseObject({ key: z.string(), value: z.unknown(), source: z.string() })),
});

/** `POST /admin/notify/test`. */
export const NotifyTest = z.looseObject({
  ways: z.array(z.looseObject({ way: z.string(), error: z.string().optional() })),
});

/** `GET /admin/explain`. */
export type Explained = z.output<typeof Explained>;
export const Explained = z.looseObject({
  mode: z.string(),
  session: z.string().optional(),
  model: z.string().optional(),
  bound_to: z.string().optional(),
  held: z.boolean(),
  pinned: z.string().optional(),
  chosen: z.string().optional(),
  reason: z.string().optional(),
  back_at_ms: z.number().optional(),
  back: z.string().optional(),
  accounts: z.array(
    z.looseObject({
      alias: z.string(),
      tier: z.string(),
      in_flight: z.number(),
      score: z.number(),
      terms: z.array(
        z.looseObject({
          window: z.string(),
          share: z.number(),
          known: z.boolean(),
          weight: z.number(),
        }),
      ),
      limit: z.string().optional(),
      urgency: z.number(),
      why: z.string(),
      /** Undefined if the proxy is an older version. */
      priority: z.number().optional(),
      tags: z.array(z.string()).optional(),
    }),
  ),
});

/** `GET /admin/version`: facts about the proxy. */
export type ProxyAnswer = z.output<typeof ProxyAnswer>;
export const ProxyAnswer = z.looseObject({
  version: z.string(),
  commit: z.string(),
  name: z.string(),
  root: z.string(),
  url: z.string(),
  draining: z.boolean().default(false),
  pid: z.number(),
  token_url: z.string(),
  started_at_ms: z.number(),
});
