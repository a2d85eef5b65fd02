// Asks a child proxy for its status, and finds words for what came instead of one.

import { z } from "zod";
import { boundedFetch } from "../bounded-fetch.ts";
import { reportOf } from "../core/child-report.ts";
import { formatHops, HOPS_HEADER, type Hop } from "../core/hops.ts";
import { parseJson } from "../core/json.ts";
import { StatusAnswer } from "../core/status-schema.ts";
import type { Deps } from "../deps.ts";
import { connectProblem } from "../errors.ts";
import { egressProblem, proxyRefusal } from "../network/connect-problem.ts";
import { fetchOptions } from "../network/egress.ts";
import type { Child, Sight } from "./child.ts";
import { addressAt, withKey } from "./child-link.ts";

export interface LookContext {
  readonly deps: Pick<Deps, "clock">;
  /** This proxy. */
  readonly self: () => Hop;
  /** Longest wait for an answer after which the backend was to be asked, ms. */
  readonly refreshTimeoutMs: () => number;
}

/** A status comes from memory. */
const TIMEOUT_MS = 3_000;
/** A thousand accounts make one MB. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;

/** Asks a child for its status. Never throws. */
export async function look(
  context: LookContext,
  child: Child,
  { refresh, hops }: { readonly refresh: boolean; readonly hops: readonly Hop[] } = PLAIN,
): Promise<Sight> {
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
      // A kept connection whose other end is gone would fail the question instead of the next one.
      { ...fetchOptions(egress), headers, keepalive: false },
      { limitBytes: ANSWER_LIMIT_BYTES, timeoutMs },
    );
    if (status === 200) {
      const answer = StatusAnswer.safeParse(parseJson(text));
      if (!answer.success)
        return lost(child, "refused", `${link.url} does not answer as a codexlb proxy`, CHECK);
      const report = reportOf(answer.data, own, askedMs);
      return report.id === own.id ? isItself(child, own) : { kind: "seen", report };
    }
    const refused = proxyRefusal(status, egress);
    if (refused !== undefined) return lost(child, "unreachable", `unreachable: ${refused}`, undefined);
    return refusal(child, own, status, text);
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const why = timedOut
      ? `no answer within ${timeoutMs / 1000} s`
      : (egressProblem(error, link.url, egress) ?? connectProblem(error));
    return lost(child, "unreachable", `unreachable: ${why}`, undefined);
  }
}

const PLAIN = { refresh: false, hops: [] };

const CHECK = "check the address in proxy.child_proxy_urls";

function refusal(child: Child, own: Hop, status: number, text: string): Sight {
  const { url, key } = child.link;
  // Any server may send these statuses; only a proxy sends its own kind of error with them.
  const error = ProxyError.safeParse(parseJson(text)).data?.error;
  if (status < 500 && error === undefined)
    return lost(child, "refused", `its status answered ${status}: it is not a codexlb proxy`, CHECK);
  switch (status) {
    case 401: {
      const example = url.replace("://", "://:KEY@");
      return lost(
        child,
        "refused",
        key === undefined
          ? "it wants a key (401)"
          : isRoleRefused(error)
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

/** The part of a proxy's error that matters here. */
const ProxyError = z.object({
  error: z.object({ type: z.literal("codexlb_error"), code: z.string(), message: z.string() }),
});

/** True if the child knows the key, and refuses it because of its role. */
function isRoleRefused(error: z.output<typeof ProxyError>["error"] | undefined): boolean {
  // A child that is older than the code has it only in words.
  return error?.code === "key_role_refused" || error?.message.includes("may send requests") === true;
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

/** What is seen of a child that cannot be used; what was known of it before is kept. */
export function lost(
  child: Child,
  fault: "unreachable" | "refused",
  why: string,
  next: string | undefined,
): Lost {
  const before = child.sight();
  const heardMs =
    before.kind === "seen" ? before.report.askedMs : before.kind === "lost" ? before.heardMs : 0;
  const name = before.kind === "seen" ? before.report.name : before.kind === "lost" ? before.name : undefined;
  return { kind: "lost", fault, why, next, heardMs, name };
}
