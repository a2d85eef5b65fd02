// The child proxies of the settings, each asked for its status in the background at a bounded rate: every few seconds
// while it answers and while it does not. No request ever waits for that.

import { plainView } from "../core/capacity.ts";
import { REPORT_MS } from "../core/child-report.ts";
import type { Hop } from "../core/hops.ts";
import { chance, prolonged } from "../core/jitter.ts";
import type { Deps } from "../deps.ts";
import type { Outbound } from "../network/egress.ts";
import type { EventLog } from "../state/events.ts";
import { type Child, createChild, type Sight } from "./child.ts";
import { type ChildLink, childLinks } from "./child-link.ts";
import { type LookContext, look, lost } from "./child-look.ts";
import type { Pool } from "./pool.ts";

export interface Children {
  /** In the order of the settings. */
  list(): readonly Child[];
  /** Begins asking. Resolves when every child has answered or failed once, at the latest after `waitMs`. */
  start(pool: ChildPool, waitMs: number): Promise<void>;
  /** Puts the children in line with the settings. */
  sync(): void;
  /** Asks all of them now. With `refresh` they ask the backend for new figures first. `hops`: the way of the request. */
  askAll(refresh: boolean, hops?: readonly Hop[]): Promise<void>;
  stop(): void;
}

/** How the pool learns of the children. */
export type ChildPool = Pick<Pool, "sync" | "note">;

export interface ChildrenContext extends LookContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly events: EventLog;
  readonly outbound: Pick<Outbound, "toProxy">;
  /** `proxy.child_proxy_urls`. */
  readonly urls: () => readonly string[];
}

/** How often a child is asked. */
const INTERVAL_MS = 3_000;
/** The next question after one that failed. */
const RETRY_MS = 2_000;
/** The next question after trouble with a request. */
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
    const asked = look(context, child)
      .then((sight) => see(context, child, unlessTwin(children, child, sight), pool))
      .finally(() => {
        asking.delete(child);
        later(child);
      });
    asking.set(child, asked);
    return asked;
  };

  const later = (child: Child, soon = false): void => {
    if (pool === undefined || !children.includes(child)) return;
    const sight = child.sight();
    const isWell = sight.kind === "seen" && sight.shaky === undefined;
    const waitMs = soon ? SOON_MS : prolonged(isWell ? INTERVAL_MS : RETRY_MS, chance(random));
    const atMs = clock.monotonic() + waitMs;
    const planned = timers.get(child);
    // Trouble after trouble must not put it off.
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
        // What takes this long must not keep the child from being heard of meanwhile.
        if (refresh) await look(context, child, { refresh, hops });
        // One that is under way may have been asked before what is wanted to be known.
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

/** Applies `sight`, and reports it if it is another one than before. */
function see(
  { deps: { clock, log }, events }: ChildrenContext,
  child: Child,
  sight: Sight,
  pool: ChildPool | undefined,
): void {
  const before = child.sight();
  const nowMs = clock.now();
  // The last report stays valid for a while, but requests prefer other upstreams.
  if (
    sight.kind === "lost" &&
    sight.fault === "unreachable" &&
    before.kind === "seen" &&
    nowMs - before.report.askedMs < REPORT_MS
  ) {
    child.see({ ...before, shaky: sight.why });
    return;
  }
  child.see(sight);
  if (sight.kind === "seen") {
    const { health } = child.record;
    // Requests can get there again.
    if (health.kind === "cooling" && WAY_REASONS.has(health.reason))
      pool?.note(child.id, { kind: "served", startedMs: sight.report.askedMs });
    if (child.capacity(plainView(nowMs)).condition === "ready")
      pool?.note(child.id, { kind: "room", asOfMs: sight.report.askedMs });
  }
  if (sight.kind === before.kind && (sight.kind !== "lost" || sight.why === whyOf(before))) return;
  const about = { child_proxy_url: child.link.url, proxy_name: child.label };
  if (sight.kind === "lost") {
    events.append("child_proxy.lost", { ...about, fault: sight.fault, error: sight.why });
    log.warn(`child proxy ${child.label}: ${sight.why}${sight.next === undefined ? "" : `; ${sight.next}`}`);
  } else {
    events.append("child_proxy.seen", about);
    if (before.kind === "lost") log.info(`child proxy ${child.label} (${child.link.url}) is there again`);
  }
}

/** Reasons of a cooldown that ends when the child answers. */
const WAY_REASONS: ReadonlySet<string> = new Set([
  "transport-error",
  "child-key-refused",
  "child-host-refused",
]);

function whyOf(sight: Sight): string | undefined {
  return sight.kind === "lost" ? sight.why : undefined;
}

/** If an earlier child is the same proxy at another address, only that one counts. */
function unlessTwin(children: readonly Child[], child: Child, sight: Sight): Sight {
  if (sight.kind !== "seen" || sight.report.id === undefined) return sight;
  const { id } = sight.report;
  const twin = children.slice(0, children.indexOf(child)).find((other) => {
    const seen = other.sight();
    return seen.kind === "seen" && seen.report.id === id;
  });
  if (twin === undefined) return sight;
  const duplicate = lost(
    child,
    "refused",
    `it is the same proxy as ${twin.link.url}`,
    "remove one of them from proxy.child_proxy_urls",
  );
  return { ...duplicate, name: sight.report.name };
}
