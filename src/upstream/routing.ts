// Workspace routing: some accounts are on another host of the backend or in a region. The backend reports this for each
// account (`GET …/wham/accounts/check`). The proxy asks once, remembers the route, and sends that account's turns
// there.

import { z } from "zod";
import { boundedFetch } from "../bounded-fetch.ts";
import { headerValue } from "../core/bounds.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { egressProblem } from "../network/connect-problem.ts";
import { type Egress, fetchOptions } from "../network/egress.ts";

/** Where an account's turns go. Both undefined: to the configured backend, without an override. */
export interface Route {
  /** Scheme and host to use instead of the configured ones. */
  readonly origin: string | undefined;
  /** Value of `x-openai-account-routing-override`. */
  readonly override: string | undefined;
}

export interface Routing {
  /** The route of an account. Asks the backend if it is unknown; if that fails, returns the configured backend. */
  routeOf(account: RoutingAccount): Promise<Route>;
}

export interface RoutingAccount {
  readonly accountId: string;
  readonly baseUrl: string;
  readonly token: string;
  /** The egress for connections to `baseUrl`. */
  readonly egress: Egress;
}

/** How long a route counts. Accounts hardly ever move. */
const KEEP_MS = 6 * 3_600_000;
/** Pause after a failure. */
const RETRY_MS = 60_000;
/** The longest wait of an account's first request. */
const TIMEOUT_MS = 3_000;
/** Far more than a real response, which has a few hundred bytes for each workspace of the account. */
const ANSWER_LIMIT_BYTES = 1024 * 1024;

const NO_ROUTE: Route = { origin: undefined, override: undefined };

export function createRouting({ clock, log }: Pick<Deps, "clock" | "log">): Routing {
  const known = new Map<string, { readonly route: Promise<Route>; untilMs: number }>();
  return {
    routeOf: (account) => {
      const { accountId, baseUrl, egress } = account;
      const key = `${baseUrl} ${accountId}`;
      const kept = known.get(key);
      if (kept !== undefined && kept.untilMs > clock.monotonic()) return kept.route;
      const route = discover(account).catch((error): Route => {
        entry.untilMs = clock.monotonic() + RETRY_MS;
        if (!(error instanceof EndpointMissing))
          log.warn(
            `looking up the backend of account ${accountId}: ${egressProblem(error, baseUrl, egress)}`,
          );
        return NO_ROUTE;
      });
      const entry = { route, untilMs: clock.monotonic() + KEEP_MS };
      known.set(key, entry);
      return route;
    },
  };
}

// --- internal ---

/** The backend has no such endpoint, because it is old or not OpenAI's. This needs no warning. */
class EndpointMissing extends Error {}

const CheckAnswer = z.looseObject({
  accounts: z.array(
    z.looseObject({
      id: z.string(),
      workspace_backend_origin: z.string().nullish(),
      account_routing_override: z.string().nullish(),
    }),
  ),
});

async function discover({ accountId, baseUrl, token, egress }: RoutingAccount): Promise<Route> {
  const answer = await boundedFetch(
    `${baseUrl}/wham/accounts/check`,
    {
      ...fetchOptions(egress),
      headers: { authorization: `Bearer ${token}`, "chatgpt-account-id": accountId },
    },
    { limitBytes: ANSWER_LIMIT_BYTES, timeoutMs: TIMEOUT_MS },
  );
  if (answer.status === 404) throw new EndpointMissing();
  if (!answer.ok) throw new Error(`the backend returned ${answer.status}`);
  const parsed = CheckAnswer.safeParse(parseJson(answer.text));
  if (!parsed.success) throw new Error("the response does not list the accounts");
  const { accounts } = parsed.data;
  const own = accounts.find((account) => account.id === accountId);
  const override = own?.account_routing_override ?? "NO_CONSTRAINT";
  if (own === undefined || override === "NO_CONSTRAINT") return NO_ROUTE;
  if (headerValue(override) === undefined) throw new Error("its routing override cannot be sent in a header");
  const origin = own.workspace_backend_origin ?? undefined;
  if (origin !== undefined && !mayReceiveTokens(origin, baseUrl))
    throw new Error(
      `the backend names the host ${origin}, which is not below the configured backend; ignoring it to protect the token`,
    );
  return { origin, override };
}

/**
 * Tokens go only to the configured backend's own domain: https on the same host or below its parent
 * (chatgpt.com -> gov.chatgpt.com). A backend on loopback may name other loopback addresses.
 */
function mayReceiveTokens(origin: string, baseUrl: string): boolean {
  if (!URL.canParse(origin)) return false;
  const target = new URL(origin);
  const base = new URL(baseUrl);
  if (LOOPBACK.has(base.hostname)) return LOOPBACK.has(target.hostname);
  return (
    target.protocol === "https:" &&
    (target.host === base.host || target.hostname.endsWith(`.${base.hostname}`))
  );
}

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);
