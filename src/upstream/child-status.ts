// Requests a child proxy's status, and explains why there is none.

import { z } from "zod";
import { boundedFetch } from "../bounded-fetch.ts";
import { reportOf } from "../core/child-report.ts";
import { formatHops, HOPS_HEADER, type Hop } from "../core/hops.ts";
import { parseJson } from "../core/json.ts";
import { StatusAnswer } from "../core/status-schema.ts";
import type { Deps } from "../deps.ts";
import { egressProblem, proxyRefusal } from "../network/connect-problem.ts";
import { fetchOptions } from "../network/egress.ts";
import type { Child, ChildObservation } from "./child.ts";
import { addressAt, withKey } from "./child-link.ts";

export interface ChildStatusContext {
  readonly deps: Pick<Deps, "clock">;
  /** This proxy. */
  readonly self: () => Hop;
  /** Longest wait for a status with figures that the child first requests from the backend, ms. */
  readonly refreshTimeoutMs: () => number;
}

/** Longest wait for a status that the child has in memory. */
const TIMEOUT_MS = 3_000;
/** The status of a thousand accounts takes one MB. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;

/** Requests a child's status. `hops`: the proxies that the client's request has passed. Never throws. */
export async function askStatus(
  context: ChildStatusContext,
  child: Child,
  { refresh, hops }: { readonly refresh: boolean; readonly hops: readonly Hop[] } = PLAIN,
): Promise<ChildObservation> {
  const { deps, self, refreshTimeoutMs } = context;
  const { link } = child;
  const own = self();
  const askedMs = deps.clock.now();
  const headers = withKey(link, new Headers({ [HOPS_HEADER]: formatHops([...hops, own]) }));
  const egress = child.egress();
  const timeoutMs = refresh ? refreshTimeoutMs() : TIMEOUT_MS;
  try {
    const { status, text } = await boundedFetch(
      addressAt(link, `/status${refresh ? "?refresh=1" : ""}`),
      // A new connection, because the request would fail on a kept connection whose other end is gone.
      { ...fetchOptions(egress), headers, keepalive: false },
      { limitBytes: ANSWER_LIMIT_BYTES, timeoutMs },
    );
    if (status === 200) {
      const answer = StatusAnswer.safeParse(parseJson(text));
      if (!answer.success) return lostChild(child, "refused", `${link.url} is not a codexlb proxy`, CHECK);
      const report = reportOf(answer.data, own, askedMs);
      return report.id === own.id ? isItself(child, own) : { kind: "seen", report };
    }
    const refused = proxyRefusal(status, egress);
    if (refused !== undefined) return lostChild(child, "unreachable", `unreachable: ${refused}`, undefined);
    return refusal(child, own, status, text);
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const why = timedOut
      ? `no response within ${timeoutMs / 1000} s`
      : egressProblem(error, link.url, egress);
    return lostChild(child, "unreachable", `unreachable: ${why}`, undefined);
  }
}

const PLAIN = { refresh: false, hops: [] };

const CHECK = "check the address in proxy.child_proxy_urls";

function refusal(child: Child, own: Hop, status: number, text: string): ChildObservation {
  const { url, key } = child.link;
  // Any server may send these statuses; only a codexlb proxy sends this kind of error with them.
  const error = ProxyError.safeParse(parseJson(text)).data?.error;
  if (status < 500 && error === undefined)
    return lostChild(child, "refused", `GET /status returned ${status}: it is not a codexlb proxy`, CHECK);
  switch (status) {
    case 401: {
      const example = url.replace("://", "://:KEY@");
      return lostChild(
        child,
        "refused",
        key === undefined
          ? "it requires a key (401)"
          : isRoleRefused(error)
            ? "the key does not have the parent role (401)"
            : "it refused the key (401)",
        `create a key there with: codexlb key add --role parent NAME, and add it to proxy.child_proxy_urls here: ${example}`,
      );
    }
    case 421:
      return lostChild(
        child,
        "refused",
        `the name in ${url} is not one of its own (421)`,
        "add that name to proxy.allowed_hosts in the config.toml of that proxy",
      );
    case 508:
      return isItself(child, own);
    default:
      return status >= 500
        ? lostChild(child, "unreachable", `GET /status returned ${status}`, undefined)
        : lostChild(child, "refused", `GET /status returned ${status}`, CHECK);
  }
}

/** The part of a proxy's error that matters here. */
const ProxyError = z.object({
  error: z.object({ type: z.literal("codexlb_error"), code: z.string(), message: z.string() }),
});

/** True if the child knows the key but refuses it because of its role. */
function isRoleRefused(error: z.output<typeof ProxyError>["error"] | undefined): boolean {
  // An older child sends only the message, not the code.
  return error?.code === "key_role_refused" || error?.message.includes("may send requests") === true;
}

function isItself(child: Child, own: Hop): ChildObservation {
  return lostChild(
    child,
    "refused",
    `it is this proxy itself: ${own.name} -> ${own.name}`,
    "remove it from proxy.child_proxy_urls",
  );
}

type LostChild = Extract<ChildObservation, { kind: "lost" }>;

/** The observation of a child that cannot be used. Keeps the name and the time of the previous one. */
export function lostChild(
  child: Child,
  fault: "unreachable" | "refused",
  why: string,
  next: string | undefined,
): LostChild {
  const before = child.observation();
  const heardMs =
    before.kind === "seen" ? before.report.askedMs : before.kind === "lost" ? before.heardMs : 0;
  const name = before.kind === "seen" ? before.report.name : before.kind === "lost" ? before.name : undefined;
  return { kind: "lost", fault, why, next, heardMs, name };
}
