// The facts of a root: reads them from its files and its store, and applies those of the engine to them.

import { join } from "node:path";
import type { AccountChange } from "../auth/account-ops.ts";
import { installAccount, removeAccount } from "../auth/enrol.ts";
import { authFileOf } from "../auth/homes.ts";
import type { Keys } from "../auth/keys.ts";
import { readSecret } from "../auth/secrets.ts";
import { readableText } from "../auth/write-home.ts";
import { changedOptions } from "../core/account-options.ts";
import { optionsOfFields } from "../core/option-fields.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { writeFileAtomic } from "../state/atomic-file.ts";
import { signatureOf } from "../state/file-signature.ts";
import type { Layout } from "../state/layout.ts";
import { disableByOperator, drain, enable, setOptions, setOutboundProxy } from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import {
  AccountSettings,
  accountFact,
  keyFact,
  keyOf,
  keyText,
  Login,
  loginFact,
  PIN_FACT,
  Pin,
  SIGNING_KEY_FACT,
  settingsOf,
  subjectOf,
} from "./facts.ts";

export interface LocalFacts {
  /** Every fact of the root, by name. */
  read(): Map<string, string>;
  /** The value of one fact; undefined if the root does not have it. */
  valueOf(name: string): string | undefined;
  /** The alias of the account `name` (alias or id). */
  aliasOf(name: string): string;
  /**
   * Applies a fact of the engine; null removes it. `by`: the replica on which an operator made the change, if that is
   * known. Returns false if the root cannot have it yet, because its account is missing. Throws if the value cannot be
   * used or written.
   */
  apply(name: string, value: string | null, by?: string): boolean;
  /** Writes what was applied to disk. Throws `file_unusable`. */
  flush(): void;
}

/** `renewed`: the login of a known account was renewed or replaced. Otherwise like the change of an operator. */
export type AppliedChange = AccountChange | "renewed";

export interface LocalFactsContext {
  readonly store: Store;
  readonly layout: Layout;
  readonly keys: Pick<Keys, "entries" | "adopt">;
  readonly nowMs: () => number;
  /** Called after an account or the pin has changed. `by`: as for `apply`. */
  readonly changed?: (
    change: AppliedChange,
    record: AccountRecord | undefined,
    by: string | undefined,
  ) => void;
}

export function localFacts({
  store,
  layout,
  keys,
  nowMs,
  changed = () => {},
}: LocalFactsContext): LocalFacts {
  const { state } = store;
  const logins = new Map<string, { readonly signature: string; readonly text: string | undefined }>();

  const loginOf = (alias: string): string | undefined => {
    const home = join(layout.accounts, alias);
    const configPath = join(home, "config.toml");
    const signature = `${signatureOf(authFileOf(home))} ${signatureOf(configPath)}`;
    const known = logins.get(alias);
    if (known?.signature === signature) return known.text;
    const auth = readableText(authFileOf(home));
    const login = auth && JSON.stringify({ auth, config: readableText(configPath) ?? null } satisfies Login);
    logins.set(alias, { signature, text: login });
    return login;
  };
  const recordOf = (alias: string) => state.accounts.find((account) => account.alias === alias);

  const applyLogin = (alias: string, value: string | null, by: string | undefined): boolean => {
    const known = recordOf(alias);
    if (value === null) {
      logins.delete(alias);
      if (known === undefined) return true;
      const { record, finish } = removeAccount(state, layout, alias);
      store.touch();
      changed("removed", record, by);
      finish();
      return true;
    }
    const { auth, config } = Login.parse(JSON.parse(value));
    const record = installAccount(state, layout, alias, { auth, config: config ?? undefined, replace: true });
    store.touch();
    changed(known === undefined || by !== undefined ? "imported" : "renewed", record, by);
    return true;
  };

  const applySettings = (alias: string, value: string | null, by: string | undefined): boolean => {
    const record = recordOf(alias);
    if (value === null || record === undefined) return value === null;
    const wanted = AccountSettings.parse(JSON.parse(value));
    const before = settingsOf(record);
    setOutboundProxy(record, wanted.outbound_proxy ?? undefined);
    setOptions(record, changedOptions({}, optionsOfFields(wanted.options)));
    if (wanted.service !== before.service) serve(record, before.service, wanted.service, nowMs(), by);
    store.touch();
    changed(wanted.service === before.service ? "changed" : wanted.service, record, by);
    return true;
  };

  const applyPin = (value: string | null, by: string | undefined): boolean => {
    const { alias } = value === null ? { alias: null } : Pin.parse(JSON.parse(value));
    const record = alias === null ? undefined : recordOf(alias);
    if (alias !== null && record === undefined) return false;
    state.pinnedId = record?.id;
    store.touch();
    changed(record === undefined ? "unpinned" : "pinned", record, by);
    return true;
  };

  const currentValue = (name: string): string | undefined => {
    const subject = subjectOf(name);
    switch (subject?.kind) {
      case undefined:
        return undefined;
      case "signing-key":
        return readSecret(layout.signingKey);
      case "login":
        return recordOf(subject.alias) && loginOf(subject.alias);
      case "account": {
        const record = recordOf(subject.alias);
        return record && JSON.stringify(settingsOf(record));
      }
      case "key": {
        const key = keys.entries().find((one) => one.name === subject.name);
        return key && keyText(key);
      }
      case "pin": {
        const pinned = state.accounts.find(({ id }) => id === state.pinnedId);
        return JSON.stringify({ alias: pinned?.alias ?? null });
      }
      default:
        return subject satisfies never;
    }
  };

  return {
    valueOf: currentValue,
    read: () => {
      const facts: [string, string | undefined][] = [[SIGNING_KEY_FACT, currentValue(SIGNING_KEY_FACT)]];
      for (const record of state.accounts) {
        facts.push([loginFact(record.alias), loginOf(record.alias)]);
        facts.push([accountFact(record.alias), JSON.stringify(settingsOf(record))]);
      }
      for (const key of keys.entries()) facts.push([keyFact(key.name), keyText(key)]);
      facts.push([PIN_FACT, currentValue(PIN_FACT)]);
      return new Map(facts.filter((fact): fact is [string, string] => fact[1] !== undefined));
    },
    aliasOf: (name) =>
      state.accounts.find(({ id, alias }) => alias === name || id === name.toLowerCase())?.alias ?? name,
    apply: (name, value, by) => {
      const subject = subjectOf(name);
      switch (subject?.kind) {
        case undefined:
          return false;
        case "signing-key":
          if (value !== null) writeFileAtomic(layout.signingKey, `${value}\n`);
          return true;
        case "login":
          return applyLogin(subject.alias, value, by);
        case "account":
          return applySettings(subject.alias, value, by);
        case "key":
          keys.adopt(subject.name, value === null ? undefined : keyOf(value));
          return true;
        case "pin":
          return applyPin(value, by);
        default:
          return subject satisfies never;
      }
    },
    flush: store.flush,
  };
}

// --- internal ---

type Service = AccountSettings["service"];

/** Changes the account from one service to a different one. `by`: the replica on which the operator made the change. */
function serve(
  record: AccountRecord,
  from: Service,
  to: Service,
  nowMs: number,
  by: string | undefined,
): void {
  if (to === "enabled" || from === "disabled") enable(record);
  if (to === "disabled") disableByOperator(record, nowMs, by);
  if (to === "draining") drain(record);
}
