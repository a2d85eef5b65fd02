// The keys that a replica has for its pool: that in its key file, and the next one while `codexlb cluster rekey`
// distributes it. Whichever opens the pool is used.

import type { Deps } from "../deps.ts";
import { type KeyPlace, nextPoolKey, poolKey } from "./key.ts";
import { createSealer, type Sealer } from "./sealing.ts";

export interface Keyring {
  /** Seals and opens with the key in use. At first this is the one in the key file. */
  readonly sealer: Sealer;
  /**
   * Reads the keys again, and uses the first one for which `opens` returns true. Returns false if there is none, and
   * keeps the key in use. Throws `invalid_config`.
   */
  use(opens: (sealer: Sealer) => boolean): boolean;
  /** The next key; undefined if there is none. Throws `invalid_config`. */
  next(): Sealer | undefined;
}

/** Throws `invalid_config` if there is no usable key. */
export function createKeyring(place: KeyPlace, pool: string, random: Deps["random"]): Keyring {
  const sealerOf = (key: Uint8Array) => createSealer(key, pool, random);
  let inUse = sealerOf(poolKey(place));
  const next = () => {
    const key = nextPoolKey(place);
    return key && sealerOf(key);
  };
  return {
    sealer: {
      tagOf: (name) => inUse.tagOf(name),
      seal: (fact, generation) => inUse.seal(fact, generation),
      open: (tag, generation, sealed) => inUse.open(tag, generation, sealed),
      get keyId() {
        return inUse.keyId;
      },
    },
    use: (opens) => {
      if (opens(inUse)) return true;
      // A next key that cannot be used matters only if the pool has it.
      for (const read of [() => sealerOf(poolKey(place)), next]) {
        const one = read();
        if (one === undefined || !opens(one)) continue;
        inUse = one;
        return true;
      }
      return false;
    },
    next,
  };
}
