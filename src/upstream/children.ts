// The child proxies of the settings, each asked for its status in the background at a bounded rate: every few seconds
// while it answers and while it does not. No request ever waits for that.

import { REPORT_MS, reportOf } from "../core/child-report.ts";
import { formatHops, HOPS_HEADER, type Hop } from "../core/hops.ts";
import { StatusAnswer } from "../core/status-wire.ts";
import { parseJson } from "../core/turn.ts";
import type { Deps } from "../deps.ts";
import { messageOf, systemCodeOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import { type Child, createChild, type Sight } from "./child.ts";
import { addressAt, type ChildLink, childLinks, withKey } from "./child-link.ts";
import type { Pool } from "./pool.ts";

export interface Children {
  /** In the order of the settings. */
  list(): readonly Child[];
  /** Begins asking. Resolves when every child has answered or failed once, at the latest after `waitMs`. */
  start(pool: ChildPool, waitMs: number): Promise<void>;
  /** Puts the children in line with the settings. */
  sync(): void;
  /** Asks all of them now, after they have asked the backend for fresh figures if `refresh`, for somebody who came by `hops`. */
  askAll(refresh: boolean, hops?: readonly Hop[]): Promise<void>;
  stop(): void;
}

/** What the children tell the pool. */
export type ChildPool = Pick<Pool, "sync" | "touch" | "note">;

export interface ChildrenContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly events: EventLog;
  /** `proxy.child_proxy_urls`. */
  readonly urls: () => readonly string[];
  /** This proxy. */
  readonly self: () => Hop;
  /** Longest wait for an answer after which the backend was to be asked, ms. */
  readonly refreshTimeoutMs: () => number;
}

/** How often a child is asked. */
const INTERVAL_MS = 3_000;
/** The next question after one that failed. */
const RETRY_MS = 2_000;
/** Up to this share later, so that not all are asked together. */
const JITTER = 0.2;
/** The next question after trouble with a request. */
const SOON_MS = 1_000;
/** A status comes from memory. */
const TIMEOUT_MS = 3_000;
/** A thousand accounts make one MB. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;

export function createChildren(context: ChildrenContext): Children {
  const { clock, random } = context.deps;
  const asking = new Map<Child, Promise<void>>();
  const timers = new Map<Child, () => void>();
  let children: readonly Child[] = [];
  let pool: ChildPool | undefined;

  const ask = (child: Child): Promise<void> => {
    const running = asking.get(child);
    if (running !== undefined) return running;
    timers.get(child)?.();
    timers.delete(child);
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
    const chance = (random(1)[0] ?? 0) / 255;
    const sight = child.sight();
    const isWell = sight.kind === "seen" && sight.shaky === undefined;
    const waitMs = soon ? SOON_MS : (isWell ? INTERVAL_MS : RETRY_MS) * (1 + JITTER * chance);
    drop(child);
    timers.set(
      child,
      clock.after(waitMs, () => void ask(child)),
    );
  };

  const drop = (child: Child): void => {
    timers.get(child)?.();
    timers.delete(child);
  };

  const begin = (link: ChildLink): Child => {
    const child = createChild(link, () => {
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

/** Takes over what was seen, and tells whom it concerns. */
function see(
  { deps: { clock, log }, events }: ChildrenContext,
  child: Child,
  sight: Sight,
  pool: ChildPool | undefined,
): void {
  const before = child.sight();
  const nowMs = clock.now();
  // What it said before counts for a while, but requests rather go elsewhere.
  if (
    sight.kind === "lost" &&
    sight.fault === "unreachable" &&
    before.kind === "seen" &&
    nowMs - before.report.askedMs < REPORT_MS
  ) {
    child.see({ ...before, shaky: sight.why });
    pool?.touch(child.id);
    return;
  }
  child.see(sight);
  if (sight.kind === "seen") {
    const { state } = child;
    const { health } = state;
    // What kept requests from getting there is over.
    if (health.kind === "cooling" && WAY_REASONS.has(health.reason))
      pool?.note(child.id, { kind: "served", startedMs: sight.report.askedMs });
    const { state: now, standing } = child.capacity({ nowMs, ttlMs: 0 }, { daily: 1, weekly: 1 });
    if (now === "available" && !standing.exhausted)
      pool?.note(child.id, { kind: "room", asOfMs: sight.report.askedMs });
  }
  pool?.touch(child.id);
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

/** Rests after these say nothing any more once the child has answered. */
const WAY_REASONS: ReadonlySet<string> = new Set([
  "transport-error",
  "child-key-refused",
  "child-host-refused",
]);

function whyOf(sight: Sight): string | undefined {
  return sight.kind === "lost" ? sight.why : undefined;
}

/** Asks a child for its status. Never throws. */
async function look(
  context: ChildrenContext,
  child: Child,
  { refresh, hops }: { readonly refresh: boolean; readonly hops: readonly Hop[] } = PLAIN,
): Promise<Sight> {
  const { deps, self, refreshTimeoutMs } = context;
  const { link } = child;
  const own = self();
  const askedMs = deps.clock.now();
  const headers = withKey(link, new Headers({ [HOPS_HEADER]: formatHops([...hops, own]) }));
  const timeoutMs = refresh ? refreshTimeoutMs() : TIMEOUT_MS;
  try {
    const response = await fetch(addressAt(link, `/status${refresh ? "?refresh=1" : ""}`), {
      headers,
      redirect: "manual",
      // A kept connection whose other end is gone would fail the question instead of the next one.
      keepalive: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await textOf(response);
    if (response.status === 200) {
      const answer = StatusAnswer.safeParse(parseJson(text));
      if (!answer.success)
        return lost(child, "refused", `${link.url} does not answer as a codexlb proxy`, CHECK);
      const report = reportOf(answer.data, own, askedMs);
      return report.id === own.id ? isItself(child, own) : { kind: "seen", report };
    }
    return refusal(child, own, response.status, text);
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const why = timedOut
      ? `no answer within ${timeoutMs / 1000} s`
      : (WORDS[systemCodeOf(error) ?? ""] ?? systemCodeOf(error) ?? messageOf(error));
    return lost(child, "unreachable", `unreachable: ${why}`, undefined);
  }
}

const PLAIN = { refresh: false, hops: [] };

const WORDS: Readonly<Record<string, string>> = {
  EPROTO: "it does not speak TLS; is it http://?",
  ConnectionRefused: "nobody listens there",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection broke",
};

const CHECK = "check the address in proxy.child_proxy_urls";

function refusal(child: Child, own: Hop, status: number, text: string): Sight {
  const { url, key } = child.link;
  // Anybody may answer with these; only a proxy says so in its own words.
  if (status < 500 && !text.includes('"codexlb_error"'))
    return lost(child, "refused", `its status answered ${status}: it is not a codexlb proxy`, CHECK);
  switch (status) {
    case 401: {
      const example = url.replace("://", "://:KEY@");
      return lost(
        child,
        "refused",
        key === undefined
          ? "it wants a key (401)"
          : text.includes("may send requests")
            ? "that key is of role client, and not of role parent (401)"
            : "it refuses the key (401)",
        `make one there with: codexlb key add --role parent NAME, and write it into proxy.child_proxy_urls here: ${example}`,
      );
    }
    case 421:
      return lost(
        child,
        "refused",
        `it does not go by the name in ${url} (421)`,
        "add that name to proxy.allowed_hosts in its config.toml",
      );
    case 508:
      return isItself(child, own);
    default:
      return status >= 500
        ? lost(child, "unreachable", `its status answered ${status}`, undefined)
        : lost(child, "refused", `its status answered ${status}`, CHECK);
  }
}

/** The same proxy by another address is one proxy: the first counts. */
function unlessTwin(children: readonly Child[], child: Child, sight: Sight): Sight {
  if (sight.kind !== "seen" || sight.report.id === undefined) return sight;
  const { id } = sight.report;
  const twin = children.slice(0, children.indexOf(child)).find((other) => {
    const seen = other.sight();
    return seen.kind === "seen" && seen.report.id === id;
  });
  if (twin === undefined) return sight;
  const told = lost(
    child,
    "refused",
    `it is the same proxy as ${twin.link.url}`,
    "remove one of them from proxy.child_proxy_urls",
  );
  return { ...told, name: sight.report.name };
}

function isItself(child: Child, own: Hop): Sight {
  return lost(
    child,
    "refused",
    `it is this proxy itself: ${own.name} -> ${own.name}`,
    "remove it from proxy.child_proxy_urls",
  );
}

type Lost = Extract<Sight, { kind: "lost" }>;

function lost(child: Child, fault: "unreachable" | "refused", why: string, next: string | undefined): Lost {
  const before = child.sight();
  const heardMs =
    before.kind === "seen" ? before.report.askedMs : before.kind === "lost" ? before.heardMs : 0;
  const name = before.kind === "seen" ? before.report.name : before.kind === "lost" ? before.name : undefined;
  return { kind: "lost", fault, why, next, heardMs, name };
}

async function textOf(response: Response): Promise<string> {
  const length = Number(response.headers.get("content-length") ?? 0);
  if (length > ANSWER_LIMIT_BYTES) throw new Error(`its status has ${length} bytes`);
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
    text += decoder.decode(chunk.value, { stream: true });
    if (text.length <= ANSWER_LIMIT_BYTES) continue;
    await reader?.cancel();
    throw new Error(`its status has more than ${ANSWER_LIMIT_BYTES} bytes`);
  }
  return text;
}
