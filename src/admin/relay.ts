// Relays admin calls to the proxy of a chain that has the given name. The name is resolved first, from the status reports
// of the children. Then the call goes to the one child that leads to that proxy, so it is executed once.

import type { MiddlewareHandler } from "hono";
import { advised } from "../advice.ts";
import { plainView } from "../core/capacity.ts";
import type { RemoteAccount } from "../core/child-report.ts";
import {
  formatHops,
  HOPS_HEADER,
  type Hop,
  loopProblem,
  nameForHeader,
  nameFromHeader,
  parseHops,
  TARGET_HEADER,
} from "../core/hops.ts";
import type { ChildAnswer } from "../core/status-schema.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { fetchOptions } from "../network/egress.ts";
import { downstreamHeaders } from "../proxy/headers.ts";
import type { Child } from "../upstream/child.ts";
import { addressAt, withKey } from "../upstream/child-link.ts";
import type { Children } from "../upstream/children.ts";
import { NEXT_OFFSET_HEADER } from "./requests.ts";

export interface RelayContext {
  readonly deps: Pick<Deps, "clock">;
  /** This proxy. */
  readonly self: () => Hop;
  readonly children: Pick<Children, "list" | "askAll">;
}

/** Passes requests for another proxy on to it. Names are compared without regard to case. */
export function relayed(context: RelayContext): MiddlewareHandler {
  return async (c, next) => {
    const target = nameFromHeader(c.req.header(TARGET_HEADER) ?? "");
    if (target === "" || isNamed(context.self().name, target)) return next();
    const hops = parseHops(c.req.header(HOPS_HEADER) ?? null);
    const loop = loopProblem(hops, context.self());
    if (loop !== undefined)
      throw new CodexlbError("loop_detected", `looking for ${target}: ${loop}`, {
        next: "break the circle: remove one of these proxies from the proxy.child_proxy_urls of the proxy before it",
      });
    const child = await resolve(context, target);
    const changed = c.req.method === "GET" ? undefined : () => context.children.askAll(false);
    return send(child, c.req.raw, new URL(c.req.url), [...hops, context.self()], target, changed);
  };
}

// --- internal ---

/** The child that leads to `target`. Uses the known reports first, and asks the children only if those do not help. */
async function resolve({ deps, self, children }: RelayContext, target: string): Promise<Child> {
  const look = () => found(children.list(), target, deps.clock.now());
  let places = look();
  if (places.length === 0) {
    await children.askAll(false);
    places = look();
  }
  const [place, ...others] = places;
  if (place === undefined) throw notFound(children.list(), self(), target, deps.clock.now());
  if (others.length > 0)
    throw new CodexlbError("target_proxy_ambiguous", `${places.length} proxies are called ${target}`, {
      next: `give each of them a different proxy.name; they are at ${places.map(({ where }) => where).join(", ")}`,
    });
  return place.child;
}

interface Place {
  /** Distinguishes proxies of the same name. */
  readonly key: string;
  readonly child: Child;
  readonly where: string;
}

/** Every proxy called `target` below `children`, each once even if several ways lead to it. */
function found(children: readonly Child[], target: string, nowMs: number): Place[] {
  const places = new Map<string, Place>();
  for (const child of children) {
    const report = child.report(plainView(nowMs));
    if (report === undefined) continue;
    const put = (name: string, id: string | undefined, way: readonly string[]) => {
      if (!isNamed(name, target)) return;
      // Without an id, the way to the proxy identifies it.
      const key = id === undefined || id === "" ? `${child.id} ${way.join("/")}` : id;
      if (!places.has(key)) places.set(key, { key, child, where: [child.link.url, ...way].join(" -> ") });
    };
    put(report.name, report.id, []);
    eachChild(report.children, [], (below, way) => put(below.name, below.proxy_id, [...way, below.name]));
    // The Go program reports its grandchildren only through their accounts.
    for (const { reported } of report.accounts) putOwner(reported, put);
  }
  return [...places.values()];
}

function putOwner(
  { proxy_name, proxy_id, proxy_path }: RemoteAccount["reported"],
  put: (name: string, id: string | undefined, way: readonly string[]) => void,
): void {
  const way = proxy_path.slice(1).map(({ name }) => name);
  const hasWay = way.length > 0 || proxy_id !== undefined;
  const [owner] = proxy_path;
  // If the owner is the child itself, it is already in the map.
  if (hasWay ? way.length > 0 : proxy_name !== owner?.name)
    put(proxy_name, proxy_id, hasWay ? way : [proxy_name]);
}

function eachChild(
  children: readonly ChildAnswer[],
  way: readonly string[],
  visit: (child: ChildAnswer, way: readonly string[]) => void,
): void {
  for (const child of children) {
    visit(child, way);
    eachChild(child.child_proxies ?? [], [...way, child.name], visit);
  }
}

function notFound(children: readonly Child[], self: Hop, target: string, nowMs: number): CodexlbError {
  const hidden: string[] = [];
  const names: string[] = [self.name];
  for (const child of children) {
    const report = child.report(plainView(nowMs));
    if (report === undefined) {
      const { error } = child.facts(plainView(nowMs));
      hidden.push(`${child.label}: ${error ?? "no report yet"}`);
      continue;
    }
    names.push(report.name);
    eachChild(report.children, [], (below, way) => {
      names.push(below.name);
      if (!below.reachable)
        hidden.push(`${[report.name, ...way, below.name].join("/")}: ${below.last_error ?? "unreachable"}`);
    });
  }
  if (hidden.length > 0)
    return new CodexlbError(
      "target_proxy_unavailable",
      `looking for the proxy ${target}: ${hidden.join("; ")}`,
      { next: "start the proxies that are not running, and try again" },
    );
  return new CodexlbError("target_proxy_not_found", `target proxy not found: ${target}`, {
    next: `known proxies: ${[...new Set(names)].join(", ")}`,
  });
}

/**
 * Sends the call to `child`. The response is streamed to the client, and the call ends when the client disconnects. Before
 * the end of the response, `changed` updates the reports, so that later calls see the effect of this one.
 */
async function send(
  child: Child,
  request: Request,
  url: URL,
  hops: readonly Hop[],
  target: string,
  changed: (() => Promise<void>) | undefined,
): Promise<Response> {
  const headers = withKey(
    child.link,
    new Headers({ [TARGET_HEADER]: nameForHeader(target), [HOPS_HEADER]: formatHops(hops) }),
  );
  for (const name of PASSED_HEADERS) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const hasBody = request.method !== "GET" && request.method !== "HEAD";
  const body = hasBody ? await request.arrayBuffer() : undefined;
  const gone = new AbortController();
  request.signal.addEventListener("abort", () => gone.abort(), { once: true });
  const egress = child.egress();
  let response: Response;
  try {
    response = await fetch(addressAt(child.link, `${url.pathname}${url.search}`), {
      ...fetchOptions(egress),
      method: request.method,
      headers,
      ...(body === undefined || body.byteLength === 0 ? {} : { body }),
      redirect: "manual",
      // A login can be silent while the user types a code.
      timeout: false,
      signal: gone.signal,
    });
  } catch (error) {
    const why = egressProblem(error, child.link.url, egress);
    throw new CodexlbError("target_proxy_unavailable", `relaying the call to ${child.label}: ${why}`, {
      next: `see the state of all proxies with: ${advised("status")}`,
      cause: error,
    });
  }
  if (response.status === 401 || response.status === 403) {
    await response.body?.cancel();
    throw new CodexlbError(
      "child_refused",
      `${child.label} does not allow this proxy to manage its accounts`,
      {
        next: `make a key there with: codexlb key add --role parent NAME, and write it into proxy.child_proxy_urls here: ${child.link.url.replace("://", "://:KEY@")}`,
      },
    );
  }
  const relayedHeaders = downstreamHeaders(response.headers);
  relayedHeaders.delete("content-length");
  const nextOffset = response.headers.get(NEXT_OFFSET_HEADER);
  if (nextOffset !== null) relayedHeaders.set(NEXT_OFFSET_HEADER, nextOffset);
  const { status } = response;
  return new Response(
    passed(response.body, () => gone.abort(), changed),
    { status, headers: relayedHeaders },
  );
}

/** Streams `body`. If it breaks off, the relayed response breaks off too, which is not logged as an error. */
function passed(
  body: ReadableStream<Uint8Array> | null,
  abort: () => void,
  changed: (() => Promise<void>) | undefined,
): ReadableStream<Uint8Array> | null {
  const reader = body?.getReader();
  if (reader === undefined) return null;
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (value !== undefined) controller.enqueue(value);
        if (!done) return;
        await changed?.();
        controller.close();
      } catch {
        controller.error(new Error("the response broke off"));
      }
    },
    cancel: abort,
  });
}

const PASSED_HEADERS = ["content-type", "accept"] as const;

function isNamed(name: string, target: string): boolean {
  return name.toLowerCase() === target.toLowerCase();
}
