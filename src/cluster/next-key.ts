// What a running replica does with the next key of its pool: it reports that it has it, and once the pool uses it, it
// replaces the key file.

import type { Log } from "../deps.ts";
import { fullMessageOf } from "../errors.ts";
import { adoptNextPoolKey, type KeyPlace } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import type { NextKeyState } from "./pool-records.ts";

/**
 * Returns the `keyId` of the next key, or why it cannot be used; neither if there is none. Replaces the key file if the
 * pool has that key. Logs a warning about a problem once, because the replica can use its current key meanwhile.
 */
export function nextKeyReport(keyring: Keyring, place: KeyPlace, log: Log): () => NextKeyState {
  const warned = new Set<string>();
  return () => {
    try {
      const next = keyring.next()?.keyId;
      if (next !== undefined && next === keyring.sealer.keyId) adoptNextPoolKey(place);
      return next === undefined ? {} : { next_key: next };
    } catch (error) {
      const message = fullMessageOf(error);
      if (!warned.has(message)) log.warn(message);
      warned.add(message);
      return { next_key_problem: message };
    }
  };
}
