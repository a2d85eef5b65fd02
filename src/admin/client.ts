// The typed client of the admin API, over a socket or HTTP.

import { hc } from "hono/client";
import { z } from "zod";
import { AccountDetails } from "../auth/account-details.ts";
import type { AccountOps } from "../auth/account-ops.ts";
import { withReplaceNext } from "../auth/enrol.ts";
import type { KeyOps } from "../auth/keys.ts";
import { redeemUncertain } from "../auth/redeem-ops.ts";
import type { StubAuth } from "../auth/stub.ts";
import type { TagDemand } from "../core/account-tags.ts";
import { limitFields } from "../core/key-limit-fields.ts";
import { fieldsOfOptions } from "../core/option-fields.ts";
import { StatusAnswer } from "../core/status-schema.ts";
import { USAGE_FILTERS, type UsageQuery, UsageReport } from "../core/usage-report.ts";
import {
  AccountList,
  ChangeResponse,
  DashboardLinkAnswer,
  Explained,
  ImportResponse,
  KeyList,
  NewKey,
  NotifyTest,
  PinResponse,
  ProxyAnswer,
  RedeemResponse,
  Settings,
  Stub,
  type UnsentChanges,
} from "./answers.ts";
import type { AdminApi } from "./app.ts";
import {
  answered,
  baseOf,
  type Call,
  type Door,
  isLostConnection,
  refusedWith,
  textOf,
  through,
  unreachable,
} from "./door.ts";
import { NEXT_OFFSET_HEADER } from "./requests.ts";

/** Called after a change if there are changes that the other replicas of the proxy do not have yet. */
export type UnsentNote = (unsent: UnsentChanges | undefined) => void;

/** Account operations carried out by the proxy behind `door`. */
export function remoteAccounts(door: Door, noted: UnsentNote = () => {}): AccountOps {
  const api = apiOf(door);
  const changed = changesThrough(door, noted);
  const named = (name: string) => ({ json: { alias: name } });
  const list = async () => (await answered(door, AccountList, api.admin.accounts.$get())).accounts;
  return {
    list,
    import: async (alias, { auth, config, replace }) => {
      const json = {
        alias,
        auth: z.record(z.string(), z.unknown()).parse(JSON.parse(auth)),
        // Omitted if they have no effect, because the Go program refuses unknown fields.
        ...(config === undefined ? {} : { config }),
        ...(replace ? { replace } : {}),
      };
      try {
        return await changed(ImportResponse, api.admin.account.import.$post({ json }));
      } catch (error) {
        throw withReplaceNext(error);
      }
    },
    remove: async (name) => {
      const removed = await changed(ChangeResponse, api.admin.account.rm.$post(named(name)));
      return { alias: aliasIn(removed, name), wasPinned: removed.was_pinned };
    },
    pin: async (name) => {
      const pinned = await changed(PinResponse, api.admin.account.pin.$post(named(name)));
      const alias = aliasIn(pinned, name);
      if (pinned.account !== undefined) return { alias, listed: pinned.account };
      // The account is pinned, whether or not the proxy can list its accounts.
      const accounts = await list().catch(() => []);
      return { alias, listed: accounts.find((account) => account.alias === alias) };
    },
    unpin: async () => {
      return (await changed(ChangeResponse, api.admin.account.unpin.$post())).was_pinned;
    },
    set: async (name, { outboundProxy, options = {} }) => {
      // Older proxies refuse fields that they do not know.
      const proxy = outboundProxy === undefined ? {} : { outbound_proxy: outboundProxy ?? "" };
      const json = { alias: name, ...proxy, ...fieldsOfOptions(options) };
      const set = await changed(ChangeResponse, api.admin.account.set.$post({ json }));
      return { alias: aliasIn(set, name), overruled: set.overruled };
    },
    checkRedeem: async (name) => {
      const json = { alias: name, check: true };
      const checked = await answered(door, RedeemResponse, api.admin.account.redeem.$post({ json }));
      return { alias: aliasIn(checked, name), unfinishedSinceMs: checked.unfinished_since_ms };
    },
    redeem: async (name) => {
      const call = api.admin.account.redeem.$post(named(name));
      const spent = await answered(door, RedeemResponse, call).catch((error) => {
        // After the request was sent, a lost connection says nothing about the credit.
        throw isLostConnection(error) ? redeemUncertain(name, error.message, error) : error;
      });
      const { repeated, windows_reset: windowsReset, credits_left: creditsLeft, problem } = spent;
      return { alias: aliasIn(spent, name), repeated, windowsReset, creditsLeft, problem };
    },
    show: async (name) => {
      const url = `${baseOf(door)}/admin/account/show?${new URLSearchParams({ alias: name })}`;
      return answered(door, AccountDetails, through(door)(url));
    },
    serve: async (name, service) => {
      const served = await changed(ChangeResponse, api.admin.account[service].$post(named(name)));
      return {
        alias: aliasIn(served, name),
        endedCooldown: served.ended_cooldown,
        isPinned: served.is_pinned,
      };
    },
  };
}

/** Keys of the proxy behind `door`. */
export function remoteKeys(door: Door, noted: UnsentNote = () => {}): KeyOps {
  const api = apiOf(door);
  const changed = changesThrough(door, noted);
  return {
    list: async () => (await answered(door, KeyList, api.admin.keys.$get())).keys,
    add: async (name, role, tags, limits) => {
      // Older proxies refuse fields that they do not know.
      const demand = tags === undefined ? {} : { tags: [...tags.tags], only: tags.only };
      const json = { name, role, ...demand, ...(limits && limitFields(limits)) };
      return (await changed(NewKey, api.admin.key.add.$post({ json }))).key;
    },
    set: async (name, { tags, limits }) => {
      const demand = tags ? { tags: [...tags.tags], only: tags.only } : { tags };
      const json = { name, ...demand, ...limitFields(limits) };
      await changed(ChangeResponse, api.admin.key.set.$post({ json }));
    },
    remove: async (name) => {
      await changed(ChangeResponse, api.admin.key.rm.$post({ json: { name } }));
    },
  };
}

/** The settings in effect of the proxy behind `door`. */
export async function remoteSettings(door: Door): Promise<z.output<typeof Settings>["settings"]> {
  return (await answered(door, Settings, apiOf(door).admin.config.$get())).settings;
}

/** A one-time link to the dashboard of the proxy behind `door`. Throws `dashboard_off`. */
export async function remoteDashboardLink(door: Door): Promise<z.output<typeof DashboardLinkAnswer>> {
  return answered(door, DashboardLinkAnswer, apiOf(door).admin.dashboard.link.$post({ json: {} }));
}

/** Explains which account behind `door` would get the next turn (of `session`, for `model`, of a run with `tags`). */
export async function remoteExplanation(
  door: Door,
  about: {
    readonly session: string | undefined;
    readonly model: string | undefined;
    readonly tags: TagDemand | undefined;
  },
): Promise<Explained> {
  const { tags, ...texts } = about;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(texts)) if (value !== undefined) query.set(name, value);
  if (tags !== undefined) query.set("tags", tags.tags.join(","));
  if (tags?.only) query.set("only", "1");
  return answered(door, Explained, through(door)(`${baseOf(door)}/admin/explain?${query}`));
}

/** Makes the proxy behind `door` send a test message through every channel in its settings. */
export async function remoteNotifyTest(door: Door): Promise<z.output<typeof NotifyTest>["ways"]> {
  return (await answered(door, NotifyTest, apiOf(door).admin.notify.test.$post({ json: {} }))).ways;
}

/** What turns through the proxy behind `door` used. */
export async function remoteUsage(
  door: Door,
  { sinceMs, untilMs, by, ...filters }: UsageQuery,
): Promise<UsageReport> {
  const query = new URLSearchParams({ since: String(sinceMs), until: String(untilMs), by });
  for (const name of USAGE_FILTERS) {
    const { [name]: value } = filters;
    if (value !== undefined) query.set(name, value);
  }
  return answered(door, UsageReport, through(door)(`${baseOf(door)}/admin/usage?${query}`));
}

/** Facts about the proxy behind `door`. */
export async function remoteInfo(door: Door): Promise<ProxyAnswer> {
  return answered(door, ProxyAnswer, apiOf(door).admin.version.$get());
}

/** Stub credentials from the proxy behind `door`, and the key for its paths, which the Go program does not issue. */
export async function remoteStub(door: Door): Promise<{ stub: StubAuth; pathKey: string | undefined }> {
  const { auth, path_key } = await answered(door, Stub, apiOf(door).admin["runtime-auth"].$get());
  return { stub: auth, pathKey: path_key };
}

/** The status document of the proxy behind `door` as text. `refresh`: the proxy first fetches new figures. */
export async function remoteStatusText(door: Door, refresh = false): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await through(door)(`${baseOf(door)}/status${refresh ? "?refresh=1" : ""}`);
    text = await textOf(response);
  } catch (error) {
    throw unreachable(door, error);
  }
  if (response.ok) return text;
  throw refusedWith(door, response.status, text);
}

/** The status document of the proxy behind `door`. */
export async function remoteStatus(door: Door): Promise<StatusAnswer> {
  return answered(door, StatusAnswer, through(door)(`${baseOf(door)}/status`));
}

/** Lines of the event log of the proxy behind `door`; `nextOffset` is undefined if the response has none. */
export async function remoteLogLines(
  door: Door,
  query: Readonly<Record<string, string>>,
): Promise<{ text: string; nextOffset: number | undefined }> {
  let response: Response;
  let text: string;
  try {
    response = await through(door)(`${baseOf(door)}/logs?${new URLSearchParams(query)}`);
    text = await textOf(response);
  } catch (error) {
    throw unreachable(door, error);
  }
  if (!response.ok) throw refusedWith(door, response.status, text);
  const next = response.headers.get(NEXT_OFFSET_HEADER) ?? "";
  return { text, nextOffset: /^\d+$/.test(next) ? Number(next) : undefined };
}

// --- internal ---

/** Like `answered` with `door`, for changes. */
function changesThrough(door: Door, noted: UnsentNote) {
  return async <Schema extends z.ZodType<ChangeResponse>>(
    schema: Schema,
    call: Call,
  ): Promise<z.output<Schema>> => {
    const response = await answered(door, schema, call);
    noted(response.unsent_changes);
    return response;
  };
}

/** The account that was changed; `name` is the alias or id that was sent. */
function aliasIn({ alias, message }: ChangeResponse, name: string): string {
  // The Go program and older proxies name the alias only in the message, as in "pinned account bob".
  return alias ?? /^\w+ account (\S+)$/.exec(message)?.[1] ?? name;
}

function apiOf(door: Door) {
  return hc<AdminApi>(baseOf(door), { fetch: through(door) });
}
