// An enrolled ChatGPT account as an upstream: its credentials, its routes, its headers.

import type { Credentials } from "../auth/auth-file.ts";
import { readCredentials } from "../auth/homes.ts";
import { rememberIdentity } from "../auth/identity.ts";
import type { RefreshLane, Renewal } from "../auth/refresh.ts";
import { capacityOfQuota } from "../core/capacity.ts";
import { MISSING_AUTH } from "../core/health.ts";
import { ownLimitFor } from "../core/meters.ts";
import { judge } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { Outbound } from "../network/egress.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { retireLogin } from "../state/record-changes.ts";
import { backendPath, isTurnPath } from "./paths.ts";
import type { Routing } from "./routing.ts";
import type { Outgoing, Prepared, Upstream } from "./upstream.ts";

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

/** A token this close to its end is renewed before it is used. */
const EXPIRY_MARGIN_MS = 30_000;
/** A token this close to its end is renewed in the background, so that no request waits for it; Codex does at 5 min. */
const AHEAD_MS = 10 * 60_000;
/** One that does not say when it ends is renewed after this time, as Codex does. */
const OPAQUE_AGE_MS = 8 * 24 * 3_600_000;

/** An enrolled account, with what only an account can do. */
export interface Account extends Upstream {
  /** New credentials before those that are there run out; undefined when that is not due. Never throws. */
  renewAhead(): Promise<Renewal | undefined>;
  /** Drops what is remembered of the credentials: they were replaced on disk. */
  forget(): void;
}

/** `record` is the live record of the store: identity found in credentials is written into it. */
export function createAccount(record: AccountRecord, context: AccountContext): Account {
  const { clock, log } = context.deps;
  let kept: Credentials | undefined;
  /** An access token that seems to have run out although it was issued just now: it serves until it is refused. */
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
        `the token endpoint gave ${record.alias} an access token that seems to have run out already; it is used until it is refused (check this machine's clock)`,
      );
    seemsOld = accessToken;
  };

  const current = (): Credentials => kept ?? remember(readCredentials(record.homeDir));

  const usableCredentials = async (): Promise<Credentials | Prepared> => {
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
        // A token that is still good for a moment is better than none.
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

  return {
    id: record.id,
    label: record.alias,
    kind: "account",
    where: "the backend",
    named: { account_id: record.id },
    failsOver: FAILS_OVER,
    judge,
    capacity: (view) => capacityOfQuota(record.quota, view),
    ownLimit: ({ model, refusedBy }) => ownLimitFor(record.quota, model, refusedBy),
    patienceMs: (configuredMs) => configuredMs,
    prepare: async (outgoing) => {
      let credentials: Credentials | Prepared;
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
    told: () => {},
    retired: (reason) => {
      retireLogin(record, reason);
      return `log in again with: codexlb account login ${record.alias}`;
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

const FAILS_OVER: ReadonlySet<number> = new Set([401, 408, 429]);

function isDue({ refreshToken, expiresMs, refreshedMs }: Credentials, nowMs: number): boolean {
  if (refreshToken === undefined) return false;
  if (expiresMs !== undefined) return expiresMs - AHEAD_MS <= nowMs;
  return refreshedMs !== undefined && refreshedMs + OPAQUE_AGE_MS <= nowMs;
}

async function address(
  outgoing: Outgoing,
  credentials: Credentials,
  record: AccountRecord,
  { baseUrl: configured, routing, outbound }: AccountContext,
): Promise<Prepared> {
  const baseUrl = record.ownBaseUrl ?? configured();
  const base = new URL(baseUrl);
  const headers = new Headers(outgoing.headers);
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
