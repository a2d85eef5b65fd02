// The model catalogues of all upstreams, by version of Codex. Clients get their union under a single version, because
// Codex fetches the catalogue again immediately when a turn names a version other than its own.
//
// Catalogues are requested in the background (catalogue-requests.ts): again when a catalogue is old and a client wants
// it, and when a turn of that upstream names a new version. Only the first client of a Codex version waits, and only
// briefly.

import type { ModelOffers } from "../core/catalogue.ts";
import type { Hop } from "../core/hops.ts";
import type { Clock } from "../deps.ts";
import type { AskContext } from "./ask-upstream.ts";
import type { PoolCatalogue } from "./catalogue-bodies.ts";
import type { ServingMember } from "./catalogue-cells.ts";
import { createCatalogueRequests } from "./catalogue-requests.ts";
import {
  type CatalogueVersion,
  clientHeaders,
  createCatalogueVersions,
  unionOf,
} from "./catalogue-versions.ts";

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

/** Longest wait of a client. */
const WAIT_MS = 2_000;
/** Minimum time between requests caused by turns. While a backend is updated, their versions may alternate. */
const NAMED_MS = 10_000;
/** In a pool of a thousand upstreams a version may be ten milliseconds old; in a small one it is always current. */
const MEMBERS_PER_MS_OF_AGE = 100;

export function createCatalogues(context: CataloguesContext): Catalogues {
  const { serving } = context;
  const { clock } = context.deps;
  const versions = createCatalogueVersions();
  const requests = createCatalogueRequests({ ...context, versions });

  /** Waits until all pending requests for `members` are done, or the time limit has passed. */
  const load = async (state: CatalogueVersion, members: readonly ServingMember[], hops: readonly Hop[]) => {
    const asking = members.map(({ record }) => state.cells.get(record.id)?.asking);
    // A proxy in front waits too, and must get the response in time.
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

  /** Starts the wait for the first responses, unless it has started. */
  const loading = (
    state: CatalogueVersion,
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
      const state = versions.use(request.clientVersion, headers);
      state.headers = clientHeaders(headers);
      state.cells.keepOnly(serving([]));
      const members = serving(hops);
      requests.refresh(state, members, hops, () => true);
      if (!state.isReady || unionOf(state, members) === undefined) await loading(state, members, hops);
      return unionOf(state, serving(hops));
    },
    version: (request) => {
      const { headers, hops } = request;
      const state = versions.use(versions.inRequests(request.clientVersion), headers);
      const { latest } = state;
      const way = hops.map(({ id }) => id).join();
      const nowMs = clock.monotonic();
      if (latest !== undefined && latest.way === way && nowMs < latest.untilMs) return latest.version;
      const members = serving(hops);
      requests.refresh(state, members, hops, ({ body, isOutdated }) => body === undefined || isOutdated);
      if (!state.isReady) void loading(state, members, hops);
      const version = state.isReady ? unionOf(state, members)?.version : undefined;
      state.latest = { version, way, untilMs: nowMs + Math.floor(members.length / MEMBERS_PER_MS_OF_AGE) };
      return version;
    },
    noteVersion: (clientVersion, upstreamId, etag) => {
      const state = versions.get(versions.inRequests(clientVersion));
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
        // The account that was asked for the whole cell still has a different catalogue.
        const member = serving([]).find(({ record }) => record.id === upstreamId);
        if (member !== undefined) state.cells.split(member);
      }
    },
    offers: (upstreamId, model) => {
      let isKnown = false;
      for (const { cells } of versions.all()) {
        const slugs = cells.get(upstreamId)?.body?.catalogue.slugs;
        // An empty catalogue makes Codex use its built-in one, so it counts as unknown.
        if (slugs === undefined || slugs.size === 0) continue;
        if (slugs.has(model)) return true;
        isKnown = true;
      }
      return isKnown ? false : undefined;
    },
    hasKnowledge: () => {
      for (const state of versions.all()) if (state.isReady) return true;
      return false;
    },
    stop: requests.stop,
  };
}
