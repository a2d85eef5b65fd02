// The operations on accounts: list, import, remove, pin, enable and so on. This implementation works on a store, in the
// daemon or in a command while no daemon runs. The other one is the admin client, which calls a proxy.

import { z } from "zod";
import { changedOptions, type OptionChanges, type OptionValues } from "../core/account-options.ts";
import { fieldsOfOptions, OptionFields, optionEntries, requireOptions } from "../core/option-fields.ts";
import { uselessOptions } from "../core/useless-options.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { outboundProxyProblem } from "../network/outbound-proxy.ts";
import { type AccountRecord, setOptionsOf } from "../state/account-record.ts";
import type { Layout } from "../state/layout.ts";
import {
  disableByOperator,
  drain,
  enable,
  needsLogin,
  restore,
  setOptions,
  setOutboundProxy,
} from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import { encodeAccount } from "../state/store-encode.ts";
import { accountNamed } from "../state/store-state.ts";
import type { AccountDetails } from "./account-details.ts";
import { loginNeeded, uselessOption } from "./account-errors.ts";
import { parseAuthFile } from "./auth-file.ts";
import { type EnrolChange, findAccount, installReversibly, removeAccount } from "./enrol.ts";
import type { Identity } from "./identity.ts";
import { createRedeemOps, type RedeemOps, type ResetSpender } from "./redeem-ops.ts";
import { checkNewAlias } from "./reserved-aliases.ts";
import { refuseSameKey } from "./spent-keys.ts";

/**
 * One account as in `GET /admin/accounts` and store.json: the fields of the Go program, and under `codexlb` those that
 * it does not have.
 */
export type ListedAccount = z.output<typeof ListedAccount>;
export const ListedAccount = z.looseObject({
  id: z.string(),
  alias: z.string(),
  enabled: z.boolean(),
  disabled_reason: z.string().default(""),
  /** Unix ms; 0 or a past time without a cooldown. */
  cooldown_until_ms: z.number().default(0),
  user_email: z.string().default(""),
  chatgpt_account_id: z.string().optional(),
  codexlb: z
    .looseObject({
      user_id: z.string().optional(),
      plan_type: z.string().optional(),
      draining: z.boolean().default(false),
      /** True if the account is pinned; undefined if not, or if an older proxy listed it. */
      pinned: z.boolean().optional(),
      /** What is set for the account, in config.toml or with `account set`. */
      options: OptionFields.prefault({}),
      /** `reason`: why it is cooling down or disabled. `on`: the other replica on which it was disabled. */
      health: z.looseObject({ reason: z.string().optional(), on: z.string().optional() }).optional(),
    })
    .prefault({}),
});

export interface ImportFiles {
  /** The text of an auth.json. */
  readonly auth: string;
  /** The text of a config.toml. */
  readonly config: string | undefined;
  /** Accept the login of another account, an older login, or one that another alias has. */
  readonly replace: boolean;
}

/** The result of an import. */
export interface ImportResult {
  /** The number of accounts afterwards. */
  readonly total: number;
  readonly change: EnrolChange;
}

/** The result of a pin. */
export interface PinnedAccount {
  readonly alias: string;
  /** The account as it is listed; undefined if the proxy that pinned it did not return it. */
  readonly listed: ListedAccount | undefined;
}

/** `enable` ends `disable`, `drain`, a cooldown, and a disablement that needs no new login. */
export type Service = "enable" | "disable" | "drain";

/** The result of a removal. */
export interface RemovedAccount {
  readonly alias: string;
  /** True if the account was pinned, which ends the pin. Undefined: the proxy that removed it did not report that. */
  readonly wasPinned: boolean | undefined;
}

/** The result of `serve`. */
export interface ServiceChange {
  readonly alias: string;
  /** True if it ended a cooldown. Undefined: the proxy that did it did not report that. */
  readonly endedCooldown: boolean | undefined;
  /** True if the account is pinned. Undefined in the same case. */
  readonly isPinned: boolean | undefined;
}

/** The settings that `set` can change. */
export interface AccountChanges {
  /** URL of the account's own HTTP proxy; null: use the configured one; undefined: no change. */
  readonly outboundProxy?: string | null | undefined;
  readonly options?: OptionChanges | undefined;
}

/** The result of `set`. */
export interface SettingsChange {
  readonly alias: string;
  /** The changed options for which config.toml has a value, which wins. Undefined: the proxy did not report that. */
  readonly overruled: readonly string[] | undefined;
}

export interface AccountOps extends RedeemOps {
  list(): Promise<readonly ListedAccount[]>;
  /**
   * Throws what `installReversibly` throws, `invalid_alias` for an alias that no new account may have, and
   * `key_enrolled` for an API key that another account has.
   */
  import(alias: string, files: ImportFiles): Promise<ImportResult>;
  /** `name` is an alias or id, here and below. Throws `account_not_found`. */
  remove(name: string): Promise<RemovedAccount>;
  pin(name: string): Promise<PinnedAccount>;
  /** Returns whether an account was pinned; undefined if the proxy did not report that. */
  unpin(): Promise<boolean | undefined>;
  /** Throws `login_needed` for `enable` of an account whose login the backend rejected. */
  serve(name: string, service: Service): Promise<ServiceChange>;
  /** Throws `invalid_request` for an unusable proxy URL or an option that is not allowed. */
  set(name: string, changes: AccountChanges): Promise<SettingsChange>;
  show(name: string): Promise<AccountDetails>;
}

export interface AccountOpsContext {
  readonly store: Store;
  readonly layout: Layout;
  readonly deps: Pick<Deps, "clock">;
  /** The configured backend. */
  readonly upstream: () => string;
  /** The options of accounts that config.toml sets, by alias in lower case. */
  readonly fileOptions: () => Readonly<Record<string, OptionValues>>;
  readonly details: (record: AccountRecord) => AccountDetails | Promise<AccountDetails>;
  readonly redeemer: ResetSpender;
  /** Called after each change with the changed account. */
  readonly changed?: (change: AccountChange, record: AccountRecord | undefined) => void;
}

/** The kind of a change, for the event log. */
export type AccountChange =
  | "imported"
  | "removed"
  | "pinned"
  | "unpinned"
  | "enabled"
  | "disabled"
  | "draining"
  | "changed";

/** A change that cannot be written to disk is undone, and throws `file_unusable`. */
export function createAccountOps({
  store,
  layout,
  deps: { clock },
  upstream,
  fileOptions,
  details,
  redeemer,
  changed = () => {},
}: AccountOpsContext): AccountOps {
  const { state } = store;
  const listed = (record: AccountRecord): ListedAccount => {
    const account = ListedAccount.parse(encodeAccount(record, upstream()));
    const options = setOptionsOf(record, fileOptions());
    const pin = state.pinnedId === record.id ? { pinned: true } : {};
    return { ...account, codexlb: { ...account.codexlb, ...pin, options: fieldsOfOptions(options) } };
  };
  const write = (undo: () => void): void => {
    store.touch();
    try {
      store.flush();
    } catch (error) {
      undo();
      throw error;
    }
  };
  return {
    list: async () => state.accounts.map(listed),
    import: async (alias, files) => {
      if (accountNamed(state, alias) === undefined) checkNewAlias(alias);
      refuseSameKey(parseAuthFile(files.auth, `auth.json of ${alias}`), alias, state.accounts);
      const { record, change, undo } = installReversibly(state, layout, alias, files);
      write(undo);
      changed("imported", record);
      return { total: state.accounts.length, change };
    },
    remove: async (name) => {
      const pinnedId = state.pinnedId;
      const { record, finish, undo } = removeAccount(state, layout, name);
      write(undo);
      changed("removed", record);
      finish();
      return { alias: record.alias, wasPinned: pinnedId === record.id };
    },
    pin: async (name) => {
      const record = findAccount(state, name);
      const before = state.pinnedId;
      state.pinnedId = record.id;
      write(() => {
        state.pinnedId = before;
      });
      changed("pinned", record);
      return { alias: record.alias, listed: listed(record) };
    },
    unpin: async () => {
      const before = state.pinnedId;
      state.pinnedId = undefined;
      write(() => {
        state.pinnedId = before;
      });
      changed("unpinned", undefined);
      return before !== undefined;
    },
    serve: async (name, service) => {
      const record = findAccount(state, name);
      if (service === "enable" && needsLogin(record)) throw loginNeeded(record);
      const before = { ...record };
      const { health } = before;
      SERVICES[service](record, clock.now());
      write(() => restore(record, before));
      changed(CHANGES[service], record);
      const wasCooling = health.kind === "cooling" && health.untilMs > clock.now();
      return {
        alias: record.alias,
        endedCooldown: wasCooling && record.health.kind === "healthy",
        isPinned: state.pinnedId === record.id,
      };
    },
    set: async (name, { outboundProxy, options }) => {
      const problem = outboundProxy == null ? undefined : outboundProxyProblem(outboundProxy);
      if (problem !== undefined)
        throw new CodexlbError("invalid_request", `outbound proxy: ${problem}`, {
          next: "name an HTTP proxy, such as http://proxy.example:3128, or none",
        });
      if (options !== undefined) requireOptions(options);
      const record = findAccount(state, name);
      const [useless] = uselessOptions(options ?? {}, record.billing !== undefined);
      if (useless !== undefined) throw uselessOption(record, useless);
      const before = { ...record };
      if (outboundProxy !== undefined) setOutboundProxy(record, outboundProxy ?? undefined);
      if (options !== undefined) setOptions(record, changedOptions(record.options, options));
      write(() => restore(record, before));
      changed("changed", record);
      const file = fileOptions()[record.alias.toLowerCase()] ?? {};
      const fields = optionEntries(options ?? {}).filter(([, option]) => file[option] !== undefined);
      return { alias: record.alias, overruled: fields.map(([field]) => field) };
    },
    ...createRedeemOps({ state, redeemer }),
    show: async (name) => details(findAccount(state, name)),
  };
}

/** The identity of a listed account. */
export function identityOfListed(account: ListedAccount): Identity {
  const { plan_type: plan } = account.codexlb;
  return {
    alias: account.alias,
    email: account.user_email || undefined,
    accountId: account.chatgpt_account_id,
    userId: account.codexlb.user_id,
    planType: typeof plan === "string" ? plan : undefined,
  };
}

// --- internal ---

const CHANGES: Readonly<Record<Service, AccountChange>> = {
  enable: "enabled",
  disable: "disabled",
  drain: "draining",
};

const SERVICES: Readonly<Record<Service, (record: AccountRecord, nowMs: number) => void>> = {
  enable,
  disable: disableByOperator,
  drain,
};
