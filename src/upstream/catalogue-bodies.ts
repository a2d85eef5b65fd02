// Stores catalogues in memory. Bodies are about a megabyte, so each is kept once for all accounts that have it.

import { createHash } from "node:crypto";
import { type Catalogue, readCatalogue, unionOfCatalogues } from "../core/catalogue.ts";

/** A catalogue that one or more upstreams have. */
export interface CatalogueBody {
  /** Unique per body. */
  readonly serial: number;
  readonly catalogue: Catalogue;
}

/** The catalogue that clients get. */
export interface PoolCatalogue {
  /** Its `ETag`, which changes exactly when the content changes. */
  readonly version: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface CatalogueBodies {
  /** The body with this text, or the reason why it cannot be used. */
  take(text: string): CatalogueBody | "malformed" | "full";
}

/** Limit for all bodies together, in UTF-16 code units: 18 times the largest known catalogue. */
const MOST_CHARS = 16 * 1024 * 1024;

/** `used`: the bodies still in use. All others are dropped. */
export function createCatalogueBodies(used: () => Iterable<CatalogueBody>): CatalogueBodies {
  const byHash = new Map<string, CatalogueBody>();
  let serial = 0;

  /** Drops unused bodies. Returns the total length of the others. */
  const sweep = (): number => {
    const kept = new Set(used());
    let chars = 0;
    for (const [hash, body] of byHash)
      if (kept.has(body)) chars += body.catalogue.text.length;
      else byHash.delete(hash);
    return chars;
  };

  return {
    take: (text) => {
      const hash = hashOf(text);
      const known = byHash.get(hash);
      if (known !== undefined) return known;
      const catalogue = readCatalogue(text);
      if (catalogue === undefined) return "malformed";
      if (sweep() + text.length > MOST_CHARS) return "full";
      const body: CatalogueBody = { serial: ++serial, catalogue };
      byHash.set(hash, body);
      return body;
    },
  };
}

/** The union of `bodies`, in their order. */
export function poolCatalogueOf([first, ...others]: readonly [
  CatalogueBody,
  ...CatalogueBody[],
]): PoolCatalogue {
  const text = unionOfCatalogues([first.catalogue, ...others.map(({ catalogue }) => catalogue)]);
  return { version: `"${hashOf(text).slice(0, 32)}"`, bytes: new TextEncoder().encode(text) };
}

// --- internal ---

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
