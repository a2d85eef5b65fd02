// Asks the server whether it has a pool that the key of this root does not open.

import type { Deps } from "../deps.ts";
import type { KeyPlace } from "./key.ts";
import { createKeyring } from "./keyring.ts";
import { poolRecords } from "./pool-records.ts";

/** A pool, its server (`cluster.url`), and where the key is. */
export interface KeyCheck {
  readonly url: string;
  readonly pool: string;
  readonly place: KeyPlace;
  readonly random: Deps["random"];
}

/** Longest wait for the connection, ms. Short, because a server that cannot be reached delays the caller by this time. */
const CONNECT_MS = 2_000;

/**
 * Throws `cluster_refused` if neither the key nor the next key opens the pool on the server, and like `createKeyring`.
 * Does not throw if the server does not tell: it cannot be reached, refuses the user, or does not have the pool.
 */
export async function requireKeyOpensPool({ url, pool, place, random }: KeyCheck): Promise<void> {
  const keyring = createKeyring(place, pool, random);
  // Loaded only here, because other commands do not need a client of the server.
  const { createEngine } = await import("./engine.ts");
  const engine = createEngine({ url, pool, deps: { env: place.env, random } });
  let isRefused = false;
  const records = poolRecords(engine, keyring.sealer, pool, (opens) => {
    // True also if reading the keys throws.
    isRefused = true;
    const isOpened = keyring.use(opens);
    isRefused = !isOpened;
    return isOpened;
  });
  try {
    await engine.connected(CONNECT_MS);
    await records.find();
  } catch (error) {
    if (isRefused) throw error;
  } finally {
    engine.close();
  }
}
