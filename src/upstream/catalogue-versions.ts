// The known catalogues for each version of Codex, because the backend's catalogue depends on it. Only the versions that
// were used last are kept.

import { type CatalogueBody, type PoolCatalogue, poolCatalogueOf } from "./catalogue-bodies.ts";
import { type CatalogueCells, createCatalogueCells, type ServingMember } from "./catalogue-cells.ts";

/** The state for one version of Codex. */
export interface CatalogueVersion {
  readonly clientVersion: string;
  /** The headers of the last client that the backend needs. */
  headers: Headers;
  readonly cells: CatalogueCells;
  /** True once the first client's wait is over and a catalogue is known. */
  isReady: boolean;
  /** The wait for the first responses. */
  loading: Promise<void> | undefined;
  /** Recent unions, by their parts. */
  readonly unions: Map<string, PoolCatalogue>;
  /** The last result of `Catalogues.version` for the same hops, and until when it is valid, monotonic ms. */
  latest:
    | { readonly version: string | undefined; readonly way: string; readonly untilMs: number }
    | undefined;
}

export interface CatalogueVersions {
  /** The state for `clientVersion`, which counts as used now. Creates it with `headers` if there is none. */
  use(clientVersion: string, headers: Headers): CatalogueVersion;
  get(clientVersion: string): CatalogueVersion | undefined;
  has(version: CatalogueVersion): boolean;
  /** All versions, the most recently used last. */
  all(): Iterable<CatalogueVersion>;
  /** Drops the least recently used version; returns false if there is none except `except`. */
  forgetOldest(except: CatalogueVersion): boolean;
  /** The version in the catalogue requests of a Codex whose turns name `clientVersion`. */
  inRequests(clientVersion: string): string;
}

/** How many Codex versions are kept. */
const MOST_VERSIONS = 8;

export function createCatalogueVersions(): CatalogueVersions {
  /** Ordered by use, the most recent last. */
  const versions = new Map<string, CatalogueVersion>();

  const forgetOldest = (except: CatalogueVersion): boolean => {
    for (const oldest of versions.values()) return oldest !== except && versions.delete(oldest.clientVersion);
    return false;
  };

  return {
    use: (clientVersion, headers) => {
      const version = versions.get(clientVersion) ?? newVersion(clientVersion, headers);
      versions.delete(clientVersion);
      versions.set(clientVersion, version);
      if (versions.size > MOST_VERSIONS) forgetOldest(version);
      return version;
    },
    get: (clientVersion) => versions.get(clientVersion),
    has: (version) => versions.get(version.clientVersion) === version,
    all: () => versions.values(),
    forgetOldest,
    // A pre-release omits everything after the patch level in its catalogue requests.
    inRequests: (clientVersion) =>
      versions.has(clientVersion) ? clientVersion : clientVersion.replace(/[-+].*/, ""),
  };
}

/** The headers of a client that the backend needs. */
export function clientHeaders(headers: Headers): Headers {
  const picked = new Headers();
  for (const name of CLIENT_HEADERS) {
    const value = headers.get(name);
    if (value !== null) picked.set(name, value);
  }
  return picked;
}

/** The union of the known catalogues of `members`; undefined if none is known. */
export function unionOf(
  { cells, unions }: CatalogueVersion,
  members: readonly ServingMember[],
): PoolCatalogue | undefined {
  const found = new Set<CatalogueBody>();
  for (const { record } of members) {
    const body = cells.get(record.id)?.body;
    if (body !== undefined) found.add(body);
  }
  const [first, ...others] = found;
  if (first === undefined) return undefined;
  const key = [first, ...others].map(({ serial }) => serial).join(" ");
  const made = unions.get(key);
  if (made !== undefined) return made;
  const union = poolCatalogueOf([first, ...others]);
  for (const old of unions.keys()) if (unions.size >= MOST_UNIONS) unions.delete(old);
  unions.set(key, union);
  return union;
}

// --- internal ---

/** Client headers that matter to the backend. */
const CLIENT_HEADERS = ["accept", "originator", "user-agent", "version"] as const;

/** One union for clients, and one for a proxy in front that some upstreams lead back to. */
const MOST_UNIONS = 2;

function newVersion(clientVersion: string, headers: Headers): CatalogueVersion {
  return {
    clientVersion,
    headers: clientHeaders(headers),
    cells: createCatalogueCells(),
    isReady: false,
    loading: undefined,
    unions: new Map(),
    latest: undefined,
  };
}
