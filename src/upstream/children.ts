// The child proxies in the settings. Requests the status of each in the background every few seconds, whether the child
// responds or not. No client's request waits for that.

import { plainView } from "../core/capacity.ts";
import { REPORT_MS } from "../core/child-report.ts";
import type { Hop } from "../core/hops.ts";
import { chance, prolonged } from "../core/jitter.ts";
import type { Deps } from "../deps.ts";
import type { Outbound } from "../network/egress.ts";
import type { EventLog } from "../state/events.ts";
import { type Child, type ChildObservation, createChild } from "./child.ts";
import { type ChildLink, childLinks } from "./child-link.ts";
import { askStatus, type ChildStatusContext, lostChild } from "./child-status.ts";
import type { Pool } from "./pool.ts";

export interface Children {
  /** In the order of the settings. */
  list(): readonly Child[];
  /**
   * Starts the status requests. Resolves when each child has responded or failed once, at the latest after `waitMs`.
   */
  start(pool: ChildPool, waitMs: number): Promise<void>;
  /** Adds and removes children according to the settings. */
  sync(): void;
  /**
   * Requests all statuses now. `refresh`: the children first request new figures from the backend. `hops`: the proxies
   * that the client's request has passed.
   */
  askAll(refresh: boolean, hops?: readonly Hop[]): Promise<void>;
  stop(): void;
}

/** The methods of the pool that the children call. */
export type ChildPool = Pick<Pool, "sync" | "note">;

export interface ChildrenContext extends ChildStatusContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly events: EventLog;
  readonly outbound: Pick<Outbound, "toProxy">;
  /** `proxy.child_proxy_urls`. */
  readonly urls: () => readonly string[];
}

/** Time between two status requests. */
const INTERVAL_MS = 3_000;
/** Delay after a failed status request. */
const RETRY_MS = 2_000;
/** Delay after the child failed to serve a client's request. */
const SOON_MS = 1_000;

export function createChildren(context: ChildrenContext): Children {
  const { clock, random } = context.deps;
  const asking = new Map<Child, Promise<void>>();
  const timers = new Map<Child, { readonly atMs: number; readonly cancel: () => void }>();
  let children: readonly Child[] = [];
  let pool: ChildPool | undefined;

  const ask = (child: Child): Promise<void> => {
    const running = asking.get(child);
    if (running !== undefined) return running;
    drop(child);
    const asked = askStatus(context, child)
      .then((observation) =>
        applyObservation(context, child, withoutDuplicate(children, child, observation), pool),
      )
      .finally(() => {
        asking.delete(child);
        later(child);
      });
    asking.set(child, asked);
    return asked;
  };

  const later = (child: Child, soon = false): void => {
    if (pool === undefined || !children.includes(child)) return;
    const observation = child.observation();
    const isWell = observation.kind === "seen" && observation.lastError === undefined;
    const waitMs = soon ? SOON_MS : prolonged(isWell ? INTERVAL_MS : RETRY_MS, chance(random));
    const atMs = clock.monotonic() + waitMs;
    const planned = timers.get(child);
    // Repeated trouble must not delay the next status request.
    if (planned !== undefined && planned.atMs <= atMs) return;
    drop(child);
    timers.set(child, { atMs, cancel: clock.after(waitMs, () => void ask(child)) });
  };

  const drop = (child: Child): void => {
    timers.get(child)?.cancel();
    timers.delete(child);
  };

  const begin = (link: ChildLink): Child => {
    const child = createChild(link, context.outbound, () => {
      if (!asking.has(child)) later(child, true);
    });
    return child;
  };
  children = childLinks(context.urls()).map(begin);

  return {
    list: () => children,
    start: (to, waitMs) => {
      pool = to;
      const waited = new Promise<void>((resolve) => void clock.after(waitMs, resolve));
      const all = Promise.all(children.map(ask));
      return Promise.race([waited, all.then(() => {})]);
    },
    sync: () => {
      const before = children;
      children = childLinks(context.urls()).map((link) => before.find(isAt(link)) ?? begin(link));
      before.filter((child) => !children.includes(child)).forEach(drop);
      pool?.sync();
      for (const child of children) if (!before.includes(child)) void ask(child);
    },
    askAll: async (refresh, hops = []) => {
      const askOne = async (child: Child): Promise<void> => {
        // A refresh takes long, so it does not count as the child's pending status request.
        if (refresh) await askStatus(context, child, { refresh, hops });
        // A pending request may have been sent before the change that the caller wants to see.
        await asking.get(child);
        await ask(child);
      };
      await Promise.all(children.map(askOne));
    },
    stop: () => {
      pool = undefined;
      children.forEach(drop);
    },
  };
}

// --- internal ---

function isAt(link: ChildLink): (child: Child) => boolean {
  return (child) => child.link.id === link.id && child.link.key === link.key;
}

/** Applies `observation`, and logs it if it differs from the previous one. */
function applyObservation(
  { deps: { clock, log }, events }: ChildrenContext,
  child: Child,
  observation: ChildObservation,
  pool: ChildPool | undefined,
): void {
  const before = child.observation();
  const nowMs = clock.now();
  // The last report stays valid for a while, but requests prefer other upstreams.
  if (
    observation.kind === "lost" &&
    observation.fault === "unreachable" &&
    before.kind === "seen" &&
    nowMs - before.report.askedMs < REPORT_MS
  ) {
    child.observe({ ...before, lastError: observation.why });
    return;
  }
  child.observe(observation);
  if (observation.kind === "seen") {
    const { health } = child.record;
    // Requests can reach the child again.
    if (health.kind === "cooling" && WAY_REASONS.has(health.reason))
      pool?.note(child.id, { kind: "served", startedMs: observation.report.askedMs });
    if (child.capacity(plainView(nowMs)).condition === "ready")
      pool?.note(child.id, { kind: "room", asOfMs: observation.report.askedMs });
  }
  if (
    observation.kind === before.kind &&
    (observation.kind !== "lost" || observation.why === reasonOf(before))
  )
    return;
  const about = { child_proxy_url: child.link.url, proxy_name: child.label };
  if (observation.kind === "lost") {
    events.append("child_proxy.lost", { ...about, fault: observation.fault, error: observation.why });
    log.warn(
      `child proxy ${child.label}: ${observation.why}${observation.next === undefined ? "" : `; ${observation.next}`}`,
    );
  } else {
    events.append("child_proxy.seen", about);
    if (before.kind === "lost") log.info(`child proxy ${child.label} (${child.link.url}) is reachable again`);
  }
}

/** Reasons for a cooldown that ends when the child responds. */
const WAY_REASONS: ReadonlySet<string> = new Set([
  "transport-error",
  "child-key-refused",
  "child-host-refused",
]);

function reasonOf(observation: ChildObservation): string | undefined {
  return observation.kind === "lost" ? observation.why : undefined;
}

/** `observation`, or a refusal if an earlier child is the same proxy at another address. */
function withoutDuplicate(
  children: readonly Child[],
  child: Child,
  observation: ChildObservation,
): ChildObservation {
  if (observation.kind !== "seen" || observation.report.id === undefined) return observation;
  const { id } = observation.report;
  const earlier = children.slice(0, children.indexOf(child)).find((other) => {
    const seen = other.observation();
    return seen.kind === "seen" && seen.report.id === id;
  });
  if (earlier === undefined) return observation;
  const duplicate = lostChild(
    child,
    "refused",
    `it is the same proxy as ${earlier.link.url}`,
    "remove one of them from proxy.child_proxy_urls",
  );
  return { ...duplicate, name: observation.report.name };
}
