// Requests catalogues from upstreams in the background, a few at a time, and puts the responses into the cells.

import type { Answer } from "../bounded-fetch.ts";
import { CATALOGUE_LIMIT_BYTES } from "../core/catalogue.ts";
import type { Hop } from "../core/hops.ts";
import type { Clock } from "../deps.ts";
import { type AskContext, askUpstream } from "./ask-upstream.ts";
import { type CatalogueBody, createCatalogueBodies } from "./catalogue-bodies.ts";
import type { CatalogueCell, ServingMember } from "./catalogue-cells.ts";
import type { CatalogueVersion, CatalogueVersions } from "./catalogue-versions.ts";
import { createGate } from "./gate.ts";
import type { Upstream } from "./upstream.ts";

export interface CatalogueRequestsContext extends AskContext {
  readonly deps: { readonly clock: Clock };
  /** Id of this proxy. */
  readonly self: () => Hop;
  readonly versions: CatalogueVersions;
}

export interface CatalogueRequests {
  /**
   * Starts requests for those cells of `members` that are `wanted` and may be requested now. `hops`: the proxies that
   * the client's request has passed.
   */
  refresh(
    version: CatalogueVersion,
    members: readonly ServingMember[],
    hops: readonly Hop[],
    wanted: (cell: CatalogueCell) => boolean,
  ): void;
  /** Cancels pending requests and sends no more. */
  stop(): void;
}

/** The path of Codex's catalogue requests. */
const PATH = "/backend-api/codex/models";
/** Maximum number of concurrent requests. */
const AT_ONCE = 8;
/** Longest wait for an upstream's response: eight of the largest known catalogues, compressed, at 500 kbit/s. */
const TIMEOUT_MS = 30_000;
/** How long a catalogue counts as fresh. Codex uses the same time. */
const FRESH_MS = 5 * 60_000;
/** Pause after a first failure. It doubles with each further failure, up to `FRESH_MS`. */
const RETRY_MS = 15_000;

export function createCatalogueRequests(context: CatalogueRequestsContext): CatalogueRequests {
  const { self, events, versions } = context;
  const { clock } = context.deps;
  const gate = createGate(AT_ONCE);
  const bodies = createCatalogueBodies(() => [...versions.all()].flatMap(({ cells }) => [...cells.bodies()]));
  const stopping = new AbortController();

  /** True if the Codex version is no longer kept, or the proxy is stopping. */
  const isForgotten = (version: CatalogueVersion): boolean =>
    stopping.signal.aborted || !versions.has(version);

  /** The body with `text`, or why it cannot be used. Drops old versions of Codex if the memory is full. */
  const bodyOf = (version: CatalogueVersion, text: string): CatalogueBody | string => {
    for (;;) {
      const body = bodies.take(text);
      if (body === "malformed") return "the response is not a model catalogue";
      if (body !== "full") return body;
      if (!versions.forgetOldest(version)) return "the accounts' catalogues exceed the memory limit";
    }
  };

  const failed = (
    version: CatalogueVersion,
    cell: CatalogueCell,
    upstream: Upstream,
    error: string,
  ): void => {
    cell.dueMs = clock.monotonic() + Math.min(FRESH_MS, RETRY_MS * 2 ** cell.failures);
    cell.failures++;
    events.append("catalogue.failed", { client_version: version.clientVersion, ...upstream.named, error });
  };

  const take = (
    version: CatalogueVersion,
    cell: CatalogueCell,
    upstream: Upstream,
    response: Answer | string,
  ): void => {
    if (typeof response === "string") return failed(version, cell, upstream, response);
    const etag = response.headers.get("etag") ?? undefined;
    const isSame = response.status === 304 || (etag !== undefined && etag === cell.etag);
    if (!isSame || cell.body === undefined) {
      if (response.status !== 200)
        return failed(version, cell, upstream, `the models endpoint returned ${response.status}`);
      const body = bodyOf(version, response.text);
      if (typeof body === "string") return failed(version, cell, upstream, body);
      if (body !== cell.body)
        events.append("catalogue.changed", {
          client_version: version.clientVersion,
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

  const ask = (
    version: CatalogueVersion,
    cell: CatalogueCell,
    upstream: Upstream,
    hops: readonly Hop[],
  ): void => {
    cell.asking = gate(async () => {
      if (isForgotten(version)) return;
      const headers = new Headers(version.headers);
      if (cell.etag !== undefined) headers.set("if-none-match", cell.etag);
      const response = await askUpstream(context, upstream, {
        path: PATH,
        search: `?${new URLSearchParams({ client_version: version.clientVersion })}`,
        headers,
        hops: [...hops, self()],
        bounds: { limitBytes: CATALOGUE_LIMIT_BYTES, gzip: true, timeoutMs: TIMEOUT_MS },
        signal: stopping.signal,
      });
      if (!isForgotten(version)) take(version, cell, upstream, response);
    }).finally(() => {
      cell.asking = undefined;
    });
  };

  return {
    refresh: (version, members, hops, wanted) => {
      const nowMs = clock.monotonic();
      for (const member of members) {
        const cell = version.cells.of(member, members);
        if (cell.asking === undefined && cell.dueMs <= nowMs && wanted(cell))
          ask(version, cell, version.cells.asked(cell, member, members), hops);
      }
    },
    stop: () => stopping.abort(),
  };
}
