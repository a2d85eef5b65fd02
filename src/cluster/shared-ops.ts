// Account and key operations of a replica. The file of the replica names what is about to change before it changes, so
// that the change reaches the engine even if the process is killed, and wins over what other replicas did meanwhile.

import type { AccountOps } from "../auth/account-ops.ts";
import type { KeyOps } from "../auth/keys.ts";
import { accountFact, keyFact, loginFact, PIN_FACT } from "./facts.ts";

export interface OperatorChanges {
  /** The alias of the account `name` (alias or id). */
  aliasOf(name: string): string;
  /** Notes on disk that these facts are about to change. Throws `file_unusable`. */
  expect(names: readonly string[]): void;
  /** Called after the change; it has set these facts. Throws `file_unusable`. */
  made(names: readonly string[]): Promise<void>;
}

export function sharedAccounts(ops: AccountOps, { aliasOf, expect, made }: OperatorChanges): AccountOps {
  /** `more`: facts that may change as well, but which the operator has not set. */
  const changing = async <T>(
    name: string,
    change: () => Promise<T>,
    more: readonly string[] = [],
  ): Promise<T> => {
    expect([name, ...more]);
    const result = await change();
    await made([name]);
    return result;
  };
  return {
    ...ops,
    import: (alias, files) =>
      changing(loginFact(alias), () => ops.import(alias, files), [accountFact(alias)]),
    remove: (name) => {
      const alias = aliasOf(name);
      return changing(loginFact(alias), () => ops.remove(name), [accountFact(alias), PIN_FACT]);
    },
    pin: (name) => changing(PIN_FACT, () => ops.pin(name)),
    unpin: () => changing(PIN_FACT, () => ops.unpin()),
    serve: (name, service) => changing(accountFact(aliasOf(name)), () => ops.serve(name, service)),
    set: (name, changes) => changing(accountFact(aliasOf(name)), () => ops.set(name, changes)),
  };
}

export function sharedKeys(ops: KeyOps, { expect, made }: Omit<OperatorChanges, "aliasOf">): KeyOps {
  const changing = async <T>(name: string, change: () => Promise<T>): Promise<T> => {
    const facts = [keyFact(name)];
    expect(facts);
    const result = await change();
    await made(facts);
    return result;
  };
  return {
    ...ops,
    add: (name, ...more) => changing(name, () => ops.add(name, ...more)),
    set: (name, changes) => changing(name, () => ops.set(name, changes)),
    remove: (name) => changing(name, () => ops.remove(name)),
  };
}
