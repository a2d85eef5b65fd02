// An enrolled ChatGPT account as an upstream: its credentials, its routes, its headers.

import { advised } from "../advice.ts";
import type { Credentials } from "../auth/auth-file.ts";
import { readCredentials } from "../auth/homes.ts";
import { rememberIdentity } from "../auth/identity.ts";
import type { RefreshLane, Renewal } from "../auth/refresh.ts";
import { remembered } from "../core/bounded-map.ts";
import { MISSING_AUTH } from "../core/health.ts";
import { ownLimitFor } from "../core/meters.ts";
import { judge } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { Outbound } from "../network/egress.ts";
import { type AccountRecord, optionsOf } from "../state/account-record.ts";
import { retireLogin } from "../state/record-changes.ts";
import { capacityOfAccount } from "./account-capacity.ts";
import { backendPath, isTurnPath } from "./paths.ts";
import type { Routing } from "./routing.ts";
import type { OutgoingRequest, PrepareResult, Upstream } from "./upstream.ts";

export interface AccountContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly lane: RefreshLane;
  readonly routing: Routing;
  readonly outbound: Pick<Outbound, "toBackend">;
  /** The configured backend, without a trailing slash. */
  readonly baseUrl: () => string;
  /** How long an account cools down after its token could not be renewed for a passing reason, ms. */
  readonly cooldownMs: () => number;
}

/** A token this close to its expiry is renewed before it is used. */
const EXPIRY_MARGIN_MS = 30_000;
/** A token this close to its expiry is renewed in the background, so that no request waits. Codex renews at 5 min. */
const AHEAD_MS = 10 * 60_000;
/** A token without an expiry is renewed after this time, as Codex does. */
const OPAQUE_AGE_MS = 8 * 24 * 3_600_000;

/** Statuses below 500 after which another account may serve a request that is not a turn. */
export const FAILS_OVER: ReadonlySet<number> = new Set([401, 408, 429]);

/** An enrolled account. */
export interface Account extends Upstream {
  /** Renews the credentials if they expire soon; returns undefined if they do not. Never throws. */
  renewAhead(): Promise<Renewal | undefined>;
  /** Drops the credentials in memory, because they were replaced on disk. */
  forget(): void;
}

/** `record` is the live record of the store. The identity in the credentials is written into it. */
export function createAccount(record: AccountRecord, context: AccountContext): Account {
  const { clock, log } = context.deps;
  let kept: Credentials | undefined;
  /**
   * An access token that seems to have expired although it was just issued. It is used until the backend refuses it.
   */
  let seemsOld: string | undefined;

  const remember = (credentials: Credentials): Credentials => {
    kept = credentials;
    rememberIdentity(record, credentials);
    return credentials;
  };

  const renew = async (usedToken: string): Promise<Renewal> => {
    const renewal = await context.lane.renew(record.homeDir, usedToken, record.outboundProxy);
    if (renewal.kind === "renewed") {
      remember(renewal.credentials);
      noteAge(renewal.credentials);
    }
    return renewal;
  };

  const noteAge = ({ accessToken, expiresMs }: Credentials): void => {
    if (expiresMs === undefined || expiresMs > clock.now() + EXPIRY_MARGIN_MS) {
      seemsOld = undefined;
      return;
    }
    if (seemsOld === undefined)
      log.warn(
        `the new access token of ${record.alias} seems to have expired already (check this machine's clock); codexlb uses it until the backend refuses it`,
      );
    seemsOld = accessToken;
  };

  const current = (): Credentials => kept ?? remember(readCredentials(record.homeDir));

  const usableCredentials = async (): Promise<Credentials | PrepareResult> => {
    const credentials = current();
    const expires = credentials.expiresMs;
    if (
      expires === undefined ||
      expires > clock.now() + EXPIRY_MARGIN_MS ||
      credentials.refreshToken === undefined ||
      credentials.accessToken === seemsOld
    )
      return credentials;
    const renewal = await renew(credentials.accessToken);
    switch (renewal.kind) {
      case "renewed":
        return renewal.credentials;
      case "dead":
        return { kind: "unready", verdict: { kind: "disable", reason: renewal.reason }, why: renewal.why };
      case "failed":
        // The token is still valid for a moment.
        if (expires > clock.now()) return credentials;
        return {
          kind: "unready",
          verdict: {
            kind: "cool",
            reason: "auth-refresh-failed",
            forMs: context.cooldownMs(),
            isTimed: false,
          },
          why: renewal.why,
        };
      default:
        return renewal satisfies never;
    }
  };

  const options: Upstream["options"] = (view) => optionsOf(record, view.fileOptions);

  return {
    id: record.id,
    label: record.alias,
    kind: "account",
    where: "the backend",
    named: { account_id: record.id },
    failsOver: FAILS_OVER,
    judge,
    options,
    capacity: (view) => capacityOfAccount(record, view, options(view)),
    refuses: () => false,
    meter: () => undefined,
    ownLimit: ({ model, refusedBy }) => ownLimitFor(record.quota, model, refusedBy),
    patienceMs: (configuredMs) => configuredMs,
    prepare: async (outgoing) => {
      let credentials: Credentials | PrepareResult;
      try {
        credentials = await usableCredentials();
      } catch (error) {
        return {
          kind: "unready",
          verdict: { kind: "disable", reason: MISSING_AUTH },
          why: messageOf(error),
        };
      }
      if ("kind" in credentials) return credentials;
      return address(outgoing, credentials, record, context);
    },
    noteVerdict: () => {},
    retire: (reason) => {
      retireLogin(record, reason);
      return `log in again with: ${advised("account login", record.alias)}`;
    },
    renew,
    renewAhead: async () => {
      try {
        const credentials = current();
        const isFresh = credentials.accessToken === seemsOld || !isDue(credentials, clock.now());
        return isFresh ? undefined : await renew(credentials.accessToken);
      } catch (error) {
        return { kind: "failed", why: messageOf(error) };
      }
    },
    forget: () => {
      kept = undefined;
    },
  };
}

// --- internal ---

function isDue({ refreshToken, expiresMs, refreshedMs }: Credentials, nowMs: number): boolean {
  if (refreshToken === undefined) return false;
  if (expiresMs !== undefined) return expiresMs - AHEAD_MS <= nowMs;
  return refreshedMs !== undefined && refreshedMs + OPAQUE_AGE_MS <= nowMs;
}

/** Accounts have few base URLs, and every request needs the parts of one. */
const baseOf = remembered(64, (baseUrl) => {
  const { origin, pathname } = new URL(baseUrl);
  return { origin, pathname };
});

async function address(
  outgoing: OutgoingRequest,
  credentials: Credentials,
  record: AccountRecord,
  { baseUrl: configured, routing, outbound }: AccountContext,
): Promise<PrepareResult> {
  // The file has just been replaced. The key must not be sent to this backend.
  if (credentials.apiBaseUrl !== undefined) throw new Error("its auth.json now contains an API key");
  const baseUrl = record.ownBaseUrl ?? configured();
  const base = baseOf(baseUrl);
  const { headers } = outgoing;
  headers.set("authorization", `Bearer ${credentials.accessToken}`);
  let origin = base.origin;
  if (credentials.accountId !== undefined) {
    headers.set("chatgpt-account-id", credentials.accountId);
    if (isTurnPath(outgoing.path)) {
      const route = await routing.routeOf({
        accountId: credentials.accountId,
        baseUrl,
        token: credentials.accessToken,
        egress: outbound.toBackend(baseUrl, record.outboundProxy),
      });
      origin = route.origin ?? origin;
      if (route.override !== undefined) headers.set("x-openai-account-routing-override", route.override);
    }
  }
  const url = `${origin}${backendPath(base.pathname, outgoing.path)}${outgoing.search}`;
  const egressNow = () => outbound.toBackend(url, record.outboundProxy);
  const egress = egressNow();
  const isEgressCurrent = () => egressNow().proxy === egress.proxy;
  return { kind: "ready", url, headers, egress, isEgressCurrent, token: credentials.accessToken };
}
