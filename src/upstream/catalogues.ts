// The models catalogues of all upstreams, by version of Codex. Clients get their union under one version: Codex
// fetches the catalogue again, at once, when a turn names another version than it has.
//
// Upstreams are asked in the background, a few at a time. A catalogue is asked for again when it is old and a client
// wants it, and when a turn of that upstream names another version than the upstream had. Only the first client of a
// version of Codex waits for the upstreams, for a moment.

import type { Answer } from "../bounded-fetch.ts";
import { CATALOGUE_LIMIT_BYTES, type ModelOffers } from "../core/catalogue.ts";
import type { Hop } from "../core/hops.ts";
import type { Clock } from "../deps.ts";
import { type AskContext, askUpstream } from "./ask.ts";
import { type Body, createBodies, type PoolCatalogue, poolCatalogueOf } from "./catalogue-bodies.ts";
import { type Cell, type Cells, createCells, type ServingMember } from "./catalogue-cells.ts";
import { createGate } from "./gate.ts";
import type { Upstream } from "./upstream.ts";

/** A client's request, as far as the catalogue depends on it. */
export interface CatalogueRequest {
  /** The version of Codex. */
  readonly clientVersion: string;
  /** The client's own headers. */
  readonly headers: Headers;
  /** The proxies that the request has passed. */
  readonly hops: readonly Hop[];
}

export interface Catalogues extends ModelOffers {
  /**
   * The union of the catalogues of all upstreams in service. Waits for those that were not asked before, at most 2 s.
   * Returns undefined if no catalogue is known then. Never throws.
   */
  union(request: CatalogueRequest): Promise<PoolCatalogue | undefined>;
  /** The version of the union, for replies to turns; undefined while it is not known. Does not wait. */
  version(request: CatalogueRequest): string | undefined;
  /** Upstream `upstreamId` named `etag` as its catalogue's version in a reply to a client of `clientVersion`. */
  noteVersion(clientVersion: string, upstreamId: string, etag: string): void;
  /** Cancels what is under way, and asks nothing from now on. */
  stop(): void;
}

export interface CataloguesContext extends AskContext {
  readonly deps: { readonly clock: Clock };
  /** This proxy. */
  readonly self: () => Hop;
  /** The upstreams in service for a request that has passed `hops`, in list order. */
  readonly serving: (hops: readonly Hop[]) => readonly ServingMember[];
}

/** Where Codex asks for the catalogue. */
const PATH = "/backend-api/codex/models";
/** Requests under way at the same time. */
const AT_ONCE = 8;
/** Longest wait for an upstream's answer: eight of the largest known catalogues, compressed, at 500 kbit/s. */
const TIMEOUT_MS = 30_000;
/** Longest wait of a client. */
const WAIT_MS = 2_000;
/** How long a catalogue is not asked for again; Codex keeps it as long. */
const FRESH_MS = 5 * 60_000;
/** First pause after a failure; doubled with each further one, up to `FRESH_MS`. */
const RETRY_MS = 15_000;
/** Least time between two requests because of what turns name: while a backend is updated, they may alternate. */
const NAMED_MS = 10_000;
/** Versions of Codex that are kept; the ones used last. */
const MOST_VERSIONS = 8;
/** The version of a thousand upstreams may be ten milliseconds old, that of a few is as new as can be. */
const MEMBERS_PER_MS_OF_AGE = 100;
/** Headers of the client that a backend may look at. */
const CLIENT_HEADERS = ["accept", "originator", "user-agent", "version"] as const;

/** What is known for one version of Codex. */
interface VersionState {
  readonly clientVersion: string;
  headers: Headers;
  readonly cells: Cells;
  /** The first client's wait is over, and a catalogue was there. */
  isReady: boolean;
  loading: Promise<void> | undefined;
  /** The last unions, by what they are made of. */
  readonly unions: Map<string, PoolCatalogue>;
  /** What `version` returned last, for requests that came the same way, and until when that is good, monotonic ms. */
  latest:
    | { readonly version: string | undefined; readonly way: string; readonly untilMs: number }
    | undefined;
}

export function createCatalogues(context: CataloguesContext): Catalogues {
  const { serving, self, events } = context;
  const { clock } = context.deps;
  /** The one that was used last is last. */
  const versions = new Map<string, VersionState>();
  const gate = createGate(AT_ONCE);
  const bodies = createBodies(() => [...versions.values()].flatMap(({ cells }) => [...cells.bodies()]));
  const stopping = new AbortController();

  const stateOf = ({ clientVersion, headers }: CatalogueRequest): VersionState => {
    const state = versions.get(clientVersion) ?? newState(clientVersion, headers);
    versions.delete(clientVersion);
    versions.set(clientVersion, state);
    if (versions.size > MOST_VERSIONS) forgetOldest(state);
    return state;
  };

  /** The version that Codex asks for its catalogue with. A pre-release leaves out what follows the patch level. */
  const catalogueVersion = (clientVersion: string): string =>
    versions.has(clientVersion) ? clientVersion : clientVersion.replace(/[-+].*/, "");

  /** Forgets the version of Codex that was not used for the longest time; false if there is none but `except`. */
  const forgetOldest = (except: VersionState): boolean => {
    for (const oldest of versions.values()) return oldest !== except && versions.delete(oldest.clientVersion);
    return false;
  };

  /** The version of Codex is no longer kept, or the proxy is stopping. */
  const isForgotten = (state: VersionState): boolean =>
    stopping.signal.aborted || versions.get(state.clientVersion) !== state;

  const bodyOf = (state: VersionState, text: string): Body | string => {
    for (;;) {
      const body = bodies.take(text);
      if (body === "malformed") return "the response is not a models catalogue";
      if (body !== "full") return body;
      if (!forgetOldest(state)) return "the accounts' catalogues exceed the memory limit";
    }
  };

  const failed = (state: VersionState, cell: Cell, upstream: Upstream, error: string): void => {
    cell.dueMs = clock.monotonic() + Math.min(FRESH_MS, RETRY_MS * 2 ** cell.failures);
    cell.failures++;
    events.append("catalogue.failed", { client_version: state.clientVersion, ...upstream.named, error });
  };

  const take = (state: VersionState, cell: Cell, upstream: Upstream, answer: Answer | string): void => {
    if (typeof answer === "string") return failed(state, cell, upstream, answer);
    const etag = answer.headers.get("etag") ?? undefined;
    const isSame = answer.status === 304 || (etag !== undefined && etag === cell.etag);
    if (!isSame || cell.body === undefined) {
      if (answer.status !== 200)
        return failed(state, cell, upstream, `the models endpoint returned ${answer.status}`);
      const body = bodyOf(state, answer.text);
      if (typeof body === "string") return failed(state, cell, upstream, body);
      if (body !== cell.body)
        events.append("catalogue.changed", {
          client_version: state.clientVersion,
          ...upstream.named,
          models: body.catalogue.entries.length,
        });
      cell.body = body;
      cell.etag = etag;
    }
    cell.failures = 0;
    cell.isOutdated = false;
    cell.dueMs = clock.monotonic() + FRESH_MS;
  };

  const ask = (state: VersionState, cell: Cell, upstream: Upstream, hops: readonly Hop[]): void => {
    cell.asking = gate(async () => {
      if (isForgotten(state)) return;
      const headers = new Headers(state.headers);
      if (cell.etag !== undefined) headers.set("if-none-match", cell.etag);
      const answer = await askUpstream(context, upstream, {
        path: PATH,
        search: `?${new URLSearchParams({ client_version: state.clientVersion })}`,
        headers,
        hops: [...hops, self()],
        bounds: { limitBytes: CATALOGUE_LIMIT_BYTES, gzip: true, timeoutMs: TIMEOUT_MS },
        signal: stopping.signal,
      });
      if (!isForgotten(state)) take(state, cell, upstream, answer);
    }).finally(() => {
      cell.asking = undefined;
    });
  };

  /** Asks the upstreams whose catalogues are `wanted` and may be asked for now. */
  const refresh = (
    state: VersionState,
    members: readonly ServingMember[],
    hops: readonly Hop[],
    wanted: (cell: Cell) => boolean,
  ): void => {
    const nowMs = clock.monotonic();
    for (const member of members) {
      const cell = state.cells.of(member, members);
      if (cell.asking === undefined && cell.dueMs <= nowMs && wanted(cell))
        ask(state, cell, state.cells.asked(cell, member, members), hops);
    }
  };

  /** Waits until all requests under way for `members` are over, or it has taken too long. */
  const load = async (state: VersionState, members: readonly ServingMember[], hops: readonly Hop[]) => {
    const asking = members.map(({ record }) => state.cells.get(record.id)?.asking);
    // The proxy in front waits as well, and has to get the answer in time.
    const waitMs = WAIT_MS * 0.75 ** hops.length;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(waitMs, resolve);
      void Promise.all(asking).then(() => {
        cancel();
        resolve();
      });
    });
    state.isReady = unionOf(state, members) !== undefined;
  };

  /** Begins to wait for the first answers, unless that is under way. */
  const loading = (
    state: VersionState,
    members: readonly ServingMember[],
    hops: readonly Hop[],
  ): Promise<void> => {
    state.loading ??= load(state, members, hops).finally(() => {
      state.loading = undefined;
    });
    return state.loading;
  };

  return {
    union: async (request) => {
      const { headers, hops } = request;
      const state = stateOf(request);
      state.headers = clientHeaders(headers);
      state.cells.keepOnly(serving([]));
      const members = serving(hops);
      refresh(state, members, hops, () => true);
      if (!state.isReady || unionOf(state, members) === undefined) await loading(state, members, hops);
      return unionOf(state, serving(hops));
    },
    version: (request) => {
      const state = stateOf({ ...request, clientVersion: catalogueVersion(request.clientVersion) });
      const { hops } = request;
      const { latest } = state;
      const way = hops.map(({ id }) => id).join();
      const nowMs = clock.monotonic();
      if (latest !== undefined && latest.way === way && nowMs < latest.untilMs) return latest.version;
      const members = serving(hops);
      refresh(state, members, hops, ({ body, isOutdated }) => body === undefined || isOutdated);
      if (!state.isReady) void loading(state, members, hops);
      const version = state.isReady ? unionOf(state, members)?.version : undefined;
      state.latest = { version, way, untilMs: nowMs + Math.floor(members.length / MEMBERS_PER_MS_OF_AGE) };
      return version;
    },
    noteVersion: (clientVersion, upstreamId, etag) => {
      const state = versions.get(catalogueVersion(clientVersion));
      const cell = state?.cells.get(upstreamId);
      if (state === undefined || cell?.body === undefined || cell.etag === etag) return;
      const nowMs = clock.monotonic();
      if (cell.named !== etag) {
        if (cell.asking !== undefined || nowMs - cell.namedMs < NAMED_MS) return;
        cell.named = etag;
        cell.namedMs = nowMs;
        cell.isOutdated = true;
        cell.dueMs = nowMs;
      } else if (cell.isShared && !cell.isOutdated && cell.asking === undefined) {
        // The account that was asked for all still has another catalogue.
        const member = serving([]).find(({ record }) => record.id === upstreamId);
        if (member !== undefined) state.cells.split(member);
      }
    },
    offers: (upstreamId, model) => {
      let isKnown = false;
      for (const { cells } of versions.values()) {
        const slugs = cells.get(upstreamId)?.body?.catalogue.slugs;
        // An empty catalogue says nothing: Codex uses its own then.
        if (slugs === undefined || slugs.size === 0) continue;
        if (slugs.has(model)) return true;
        isKnown = true;
      }
      return isKnown ? false : undefined;
    },
    hasKnowledge: () => {
      for (const state of versions.values()) if (state.isReady) return true;
      return false;
    },
    stop: () => stopping.abort(),
  };
}

// --- internal ---

function newState(clientVersion: string, headers: Headers): VersionState {
  return {
    clientVersion,
    headers: clientHeaders(headers),
    cells: createCells(),
    isReady: false,
    loading: undefined,
    unions: new Map(),
    latest: undefined,
  };
}

function clientHeaders(headers: Headers): Headers {
  const picked = new Headers();
  for (const name of CLIENT_HEADERS) {
    const value = headers.get(name);
    if (value !== null) picked.set(name, value);
  }
  return picked;
}

function unionOf(
  { cells, unions }: VersionState,
  members: readonly ServingMember[],
): PoolCatalogue | undefined {
  const found = new Set<Body>();
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

/** The one for clients, and one for a proxy in front that some upstreams lead back to. */
const MOST_UNIONS = 2;
