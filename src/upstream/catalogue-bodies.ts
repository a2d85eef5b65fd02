// The catalogues in memory. A body of about a megabyte is kept once, however many accounts have it.

import { createHash } from "node:crypto";
import { type Catalogue, readCatalogue, unionOfCatalogues } from "../core/catalogue.ts";

/** A catalogue that one or more upstreams have. */
export interface Body {
  /** Differs between bodies. */
  readonly serial: number;
  readonly catalogue: Catalogue;
}

/** The catalogue that clients get. */
export interface PoolCatalogue {
  /** Its `ETag`; differs when and only when the content does. */
  readonly version: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Bodies {
  /** The body with this text, or why it cannot be used. */
  take(text: string): Body | "malformed" | "full";
}

/** All bodies together, in UTF-16 code units: 18 different ones of the size of the largest known. */
const MOST_CHARS = 16 * 1024 * 1024;

/** `used`: the bodies that somebody holds. All others are forgotten. */
export function createBodies(used: () => Iterable<Body>): Bodies {
  const byHash = new Map<string, Body>();
  let serial = 0;

  /** Forgets what is no longer used. Returns the length of what is. */
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
      const body: Body = { serial: ++serial, catalogue };
      byHash.set(hash, body);
      return body;
    },
  };
}

/** The union of `bodies`, in their order. */
export function poolCatalogueOf([first, ...others]: readonly [Body, ...Body[]]): PoolCatalogue {
  const text = unionOfCatalogues([first.catalogue, ...others.map(({ catalogue }) => catalogue)]);
  return { version: `"${hashOf(text).slice(0, 32)}"`, bytes: new TextEncoder().encode(text) };
}

// --- internal ---

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
