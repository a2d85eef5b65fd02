// The model catalogues of all upstreams, by version of Codex. Clients get their union under a single version, because
// Codex fetches the catalogue again immediately when a turn names a version other than its own.
//
// Upstreams are asked in the background, a few at a time. A catalogue is requested again when it is old and a client
// wants it, and when a turn of that upstream names a new version. Only the first client of a Codex version waits, and
// only briefly.

import type { Answer } from "../bounded-fetch.ts";
import { CATALOGUE_LIMIT_BYTES, type ModelOffers } from "../core/catalogue.ts";
import type { Hop } from "../core/hops.ts";
import type { Clock } from "../deps.ts";
import { type AskContext, askUpstream } from "./ask.ts";
import {
  type CatalogueBody,
  createCatalogueBodies,
  type PoolCatalogue,
  poolCatalogueOf,
} from "./catalogue-bodies.ts";
import { type Cell, type Cells, createCells, type ServingMember } from "./catalogue-cells.ts";
import { createGate } from "./gate.ts";
import type { Upstream } from "./upstream.ts";

/** The parts of a client's request that the catalogue depends on. */
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
   * The union of the catalogues of all upstreams in service. Waits at most 2 s for upstreams not asked before. Returns
   * undefined if no catalogue is known by then. Never throws.
   */
  union(request: CatalogueRequest): Promise<PoolCatalogue | undefined>;
  /** The version of the union, for replies to turns; undefined while unknown. Does not wait. */
  version(request: CatalogueRequest): string | undefined;
  /** Records that upstream `upstreamId` named version `etag` in a reply to a client of `clientVersion`. */
  noteVersion(clientVersion: string, upstreamId: string, etag: string): void;
  /** Cancels pending requests and sends no more. */
  stop(): void;
}

export interface CataloguesContext extends AskContext {
  readonly deps: { readonly clock: Clock };
  /** Id of this proxy. */
  readonly self: () => Hop;
  /** The upstreams in service for a request that has passed `hops`, in list order. */
  readonly serving: (hops: readonly Hop[]) => readonly ServingMember[];
}

/** The path of Codex's catalogue requests. */
const PATH = "/backend-api/codex/models";
/** Maximum number of concurrent requests. */
const AT_ONCE = 8;
/** Longest wait for an upstream's answer: eight of the largest known catalogues, compressed, at 500 kbit/s. */
const TIMEOUT_MS = 30_000;
/** Longest wait of a client. */
const WAIT_MS = 2_000;
/** How long a catalogue counts as fresh. Codex uses the same time. */
const FRESH_MS = 5 * 60_000;
/** Pause after a first failure. It doubles with each further failure, up to `FRESH_MS`. */
const RETRY_MS = 15_000;
/** Minimum time between requests caused by turns. While a backend is updated, their versions may alternate. */
const NAMED_MS = 10_000;
/** How many Codex versions are kept, most recently used first. */
const MOST_VERSIONS = 8;
/** In a pool of a thousand upstreams a version may be ten milliseconds old; in a small one it is always current. */
const MEMBERS_PER_MS_OF_AGE = 100;
/** Client headers that matter to the backend. */
const CLIENT_HEADERS = ["accept", "originator", "user-agent", "version"] as const;

/** The state for one version of Codex. */
interface VersionState {
  readonly clientVersion: string;
  headers: Headers;
  readonly cells: Cells;
  /** True once the first client's wait is over and a catalogue is known. */
  isReady: boolean;
  loading: Promise<void> | undefined;
  /** Recent unions, by their parts. */
  readonly unions: Map<string, PoolCatalogue>;
  /** The last result of `version` for the same hops, and until when it is valid, monotonic ms. */
  latest:
    | { readonly version: string | undefined; readonly way: string; readonly untilMs: number }
    | undefined;
}

export function createCatalogues(context: CataloguesContext): Catalogues {
  const { serving, self, events } = context;
  const { clock } = context.deps;
  /** Ordered by use, the most recent last. */
  const versions = new Map<string, VersionState>();
  const gate = createGate(AT_ONCE);
  const bodies = createCatalogueBodies(() =>
    [...versions.values()].flatMap(({ cells }) => [...cells.bodies()]),
  );
  const stopping = new AbortController();

  const stateOf = ({ clientVersion, headers }: CatalogueRequest): VersionState => {
    const state = versions.get(clientVersion) ?? newState(clientVersion, headers);
    versions.delete(clientVersion);
    versions.set(clientVersion, state);
    if (versions.size > MOST_VERSIONS) forgetOldest(state);
    return state;
  };

  /** The version in Codex's catalogue requests. A pre-release omits everything after the patch level. */
  const catalogueVersion = (clientVersion: string): string =>
    versions.has(clientVersion) ? clientVersion : clientVersion.replace(/[-+].*/, "");

  /** Drops the least recently used Codex version; false if there is none except `except`. */
  const forgetOldest = (except: VersionState): boolean => {
    for (const oldest of versions.values()) return oldest !== except && versions.delete(oldest.clientVersion);
    return false;
  };

  /** True if the Codex version is no longer kept, or the proxy is stopping. */
  const isForgotten = (state: VersionState): boolean =>
    stopping.signal.aborted || versions.get(state.clientVersion) !== state;

  const bodyOf = (state: VersionState, text: string): CatalogueBody | string => {
    for (;;) {
      const body = bodies.take(text);
      if (body === "malformed") return "the response is not a model catalogue";
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

  /** Waits until all pending requests for `members` are done, or the time limit has passed. */
  const load = async (state: VersionState, members: readonly ServingMember[], hops: readonly Hop[]) => {
    const asking = members.map(({ record }) => state.cells.get(record.id)?.asking);
    // A proxy in front waits as well and must get the answer in time.
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

  /** Starts the wait for the first answers, unless it has started. */
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
        // The account that was asked for the whole cell still has another catalogue.
        const member = serving([]).find(({ record }) => record.id === upstreamId);
        if (member !== undefined) state.cells.split(member);
      }
    },
    offers: (upstreamId, model) => {
      let isKnown = false;
      for (const { cells } of versions.values()) {
        const slugs = cells.get(upstreamId)?.body?.catalogue.slugs;
        // An empty catalogue makes Codex use its built-in one, so it counts as unknown.
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

/** One union for clients, and one for a proxy in front that some upstreams lead back to. */
const MOST_UNIONS = 2;
