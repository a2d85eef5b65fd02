// Admin calls for a proxy further down the chain, by its name. The name is resolved first, from what the children say of
// their own trees; then the call goes one step on, to the one child behind which that proxy is, and is executed once.

import type { MiddlewareHandler } from "hono";
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
import { CodexlbError, connectProblem } from "../errors.ts";
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
        next: "remove one of these proxies from proxy.child_proxy_urls of another",
      });
    const child = await resolve(context, target);
    const changed = c.req.method === "GET" ? undefined : () => context.children.askAll(false);
    return send(child, c.req.raw, new URL(c.req.url), [...hops, context.self()], target, changed);
  };
}

// --- internal ---

/** The child behind which `target` is. What was known is looked at first; only then the children are asked. */
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
      next: `give each of them a proxy.name of its own; they are at ${places.map(({ where }) => where).join(", ")}`,
    });
  return place.child;
}

interface Place {
  /** Tells one proxy from another of the same name. */
  readonly key: string;
  readonly child: Child;
  readonly where: string;
}

/** Every proxy called `target` below `children`, each once, whatever the ways to it. */
function found(children: readonly Child[], target: string, nowMs: number): Place[] {
  const places = new Map<string, Place>();
  for (const child of children) {
    const report = child.report(plainView(nowMs));
    if (report === undefined) continue;
    const put = (name: string, id: string | undefined, way: readonly string[]) => {
      if (!isNamed(name, target)) return;
      // Without an id it is told apart by the way to it.
      const key = id === undefined || id === "" ? `${child.id} ${way.join("/")}` : id;
      if (!places.has(key)) places.set(key, { key, child, where: [child.link.url, ...way].join(" -> ") });
    };
    put(report.name, report.id, []);
    eachChild(report.children, [], (below, way) => put(below.name, below.proxy_id, [...way, below.name]));
    // The Go program tells of its grandchildren only through their accounts.
    for (const { reported } of report.accounts) putOwner(reported, put);
  }
  return [...places.values()];
}

function putOwner(
  { proxy_name, proxy_id, proxy_path }: RemoteAccount["reported"],
  put: (name: string, id: string | undefined, way: readonly string[]) => void,
): void {
  const way = proxy_path.slice(1).map(({ name }) => name);
  const isTold = way.length > 0 || proxy_id !== undefined;
  const [owner] = proxy_path;
  // An owner that is the child itself was put already.
  if (isTold ? way.length > 0 : proxy_name !== owner?.name)
    put(proxy_name, proxy_id, isTold ? way : [proxy_name]);
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
      hidden.push(`${child.label}: ${error ?? "not heard of"}`);
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
      { next: "start what is not running there, and try again" },
    );
  return new CodexlbError("target_proxy_not_found", `target proxy not found: ${target}`, {
    next: `there are: ${[...new Set(names)].join(", ")}`,
  });
}

/**
 * One step on. The answer passes as it comes; when whoever asked goes away, the call ends. Before its end `changed` looks
 * at what it has changed, so that the next question is answered by it.
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
      // A login may say nothing for as long as somebody types a code.
      timeout: false,
      signal: gone.signal,
    });
  } catch (error) {
    const why = egressProblem(error, child.link.url, egress) ?? connectProblem(error);
    throw new CodexlbError("target_proxy_unavailable", `passing the call on to ${child.label}: ${why}`, {
      next: "look at codexlb status",
      cause: error,
    });
  }
  if (response.status === 401 || response.status === 403) {
    await response.body?.cancel();
    throw new CodexlbError("child_refused", `${child.label} does not let this proxy act on its accounts`, {
      next: `make a key there with: codexlb key add --role parent NAME, and write it into proxy.child_proxy_urls here: ${child.link.url.replace("://", "://:KEY@")}`,
    });
  }
  const told = downstreamHeaders(response.headers);
  told.delete("content-length");
  const nextOffset = response.headers.get(NEXT_OFFSET_HEADER);
  if (nextOffset !== null) told.set(NEXT_OFFSET_HEADER, nextOffset);
  const { status } = response;
  return new Response(
    passed(response.body, () => gone.abort(), changed),
    { status, headers: told },
  );
}

/** `body` as it comes. That it breaks off breaks the answer off, and is no error of this program. */
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
        controller.error(new Error("the answer broke off"));
      }
    },
    cancel: abort,
  });
}

const PASSED_HEADERS = ["content-type", "accept"] as const;

function isNamed(name: string, target: string): boolean {
  return name.toLowerCase() === target.toLowerCase();
}
