// Determines who sends a request: the only place that turns credentials into a role and a grant.

import type { TagDemand } from "../core/account-tags.ts";
import { TARGET_HEADER } from "../core/hops.ts";
import type { Deps } from "../deps.ts";
import type { Challenges } from "./challenges.ts";
import type { KeyLimiter } from "./key-limiter.ts";
import type { Keys } from "./keys.ts";
import type { KeyRole } from "./keys-file.ts";
import { keyIdOf } from "./proof.ts";
import { equalSecrets, hashOf } from "./secrets.ts";
import {
  type Grant,
  grantOfPathKey,
  grantOfRefreshToken,
  grantOfStub,
  makeStub,
  pathKeyOf,
  ROOT_GRANT,
  type StubAuth,
} from "./stub.ts";

/** `admin`: everything. Others: see `KEY_ROLES`. */
export type Role = "admin" | KeyRole;

/** The sender of a request, as its credentials prove. */
export interface Holder {
  readonly role: Role;
  /** The secret or root that the access is based on, and ends with. */
  readonly grant: Grant;
  /** True if it may learn which accounts exist: only the admin token, a key of a parent, and what is issued for these or the root. */
  readonly readsAccounts: boolean;
  /** The name of the key that the access is based on; undefined for the admin token and for the root itself. */
  readonly name?: string;
  /** The tags of accounts that this key names. */
  readonly tags?: TagDemand | undefined;
  /** The limits of this key; undefined for the admin token and for the root itself. */
  readonly limiter?: KeyLimiter;
  /** For a request with a proof instead of a secret: the hash that its body must have. */
  readonly bodySha256?: string;
}

/** A key that gives no access any more. */
export interface ExpiredKey {
  readonly name: string;
  /** Unix ms. */
  readonly expiresMs: number;
}

/** The parts of a request that are examined. */
export type Asking = Pick<Request, "headers" | "method" | "url">;

export interface Access {
  /** The role that the `Authorization` header or a key in the path proves; undefined if neither does. */
  roleOf(request: Asking, pathKey?: string): Role | undefined;
  /** The role with its grant. A proof is valid once, so pass the same object for the same request. */
  holderOf(request: Asking, pathKey?: string): Holder | undefined;
  /** The key that the request's credentials are based on, if it has expired; `holderOf` then returns undefined. */
  expiredKeyOf(request: Asking, pathKey?: string): ExpiredKey | undefined;
  /**
   * The grant that a stub's refresh token was issued for, unless it has ended. That of an expired key has not: its stub
   * gives no access, and Codex shows why.
   */
  grantOfRefreshToken(token: string): Grant | undefined;
  /** A stub for `grant`, and a path key for the requests that Codex sends without credentials. */
  credentialsFor(grant: Grant, planType: string): { readonly stub: StubAuth; readonly pathKey: string };
}

export interface AccessOptions extends Pick<Deps, "clock"> {
  readonly adminToken: string;
  /** Signs the stubs of this root. */
  readonly signingKey: string;
  readonly keys: Pick<Keys, "find" | "withId" | "used">;
  readonly challenges: Pick<Challenges, "check">;
}

export function createAccess({ adminToken, signingKey, keys, challenges, clock }: AccessOptions): Access {
  const adminId = keyIdOf(hashOf(adminToken));
  /** The holder of the secret with this id. */
  const withId = (id: string): Holder | undefined => {
    if (id === adminId) return { role: "admin", grant: adminId, readsAccounts: true };
    const key = keys.withId(id);
    return (
      key && {
        role: key.role,
        grant: key.id,
        readsAccounts: key.role === "parent",
        name: key.name,
        tags: key.tags,
        limiter: key.limiter,
      }
    );
  };
  /** Stubs and path keys give a client's rights, whatever they were issued for, and until their grant ends. */
  const asClient = (grant: Grant | undefined): Holder | undefined => {
    if (grant === ROOT_GRANT) return { role: "client", grant, readsAccounts: true };
    const grantor = grant === undefined ? undefined : withId(grant);
    // Nothing is ever issued for a key that cannot send requests.
    return grantor === undefined || grantor.role === "metrics" ? undefined : { ...grantor, role: "client" };
  };
  const ofBearer = (bearer: string): Holder | undefined => {
    if (equalSecrets(bearer, adminToken)) return withId(adminId);
    const key = keys.find(bearer);
    return key ? withId(key.id) : asClient(grantOfStub(bearer, signingKey, clock.now()));
  };
  const ofProof = (header: string, { headers, method, url }: Asking): Holder | undefined => {
    const { pathname, search } = new URL(url);
    const proxyName = headers.get(TARGET_HEADER) ?? "";
    const proof = challenges.check(header, { method, target: `${pathname}${search}`, proxyName });
    const holder = proof && withId(proof.keyId);
    return holder && { ...holder, bodySha256: proof.bodySha256 };
  };
  const ofHeader = (request: Asking): Holder | undefined => {
    const header = request.headers.get("authorization");
    if (header === null) return undefined;
    const bearer = /^Bearer\s+(\S+)\s*$/i.exec(header)?.[1];
    return bearer === undefined ? ofProof(header, request) : ofBearer(bearer);
  };
  const checked = new WeakMap<Asking, Holder | undefined>();
  /** The holder, also if its key has expired. */
  const knownHolderOf = (request: Asking, pathKey: string | undefined): Holder | undefined => {
    // Several places ask about the same request, but a proof can be checked only once.
    if (!checked.has(request)) checked.set(request, ofHeader(request));
    return (
      checked.get(request) ??
      (pathKey === undefined ? undefined : asClient(grantOfPathKey(pathKey, signingKey, clock.now())))
    );
  };
  const holderOf: Access["holderOf"] = (request, pathKey) => {
    const holder = knownHolderOf(request, pathKey);
    if (holder === undefined || holder.limiter?.expiredMs() !== undefined) return undefined;
    keys.used(holder.grant);
    return holder;
  };
  return {
    holderOf,
    expiredKeyOf: (request, pathKey) => {
      const { name = "", limiter } = knownHolderOf(request, pathKey) ?? {};
      const expiresMs = limiter?.expiredMs();
      return expiresMs === undefined ? undefined : { name, expiresMs };
    },
    roleOf: (request, pathKey) => holderOf(request, pathKey)?.role,
    grantOfRefreshToken: (token) => {
      const grant = asClient(grantOfRefreshToken(token, signingKey, clock.now()))?.grant;
      if (grant !== undefined) keys.used(grant);
      return grant;
    },
    credentialsFor: (grant, planType) => ({
      stub: makeStub(planType, signingKey, clock.now(), grant),
      pathKey: pathKeyOf(signingKey, clock.now(), grant),
    }),
  };
}

/** Looks up the SHA-256 of the secret with a `keyId`: of the admin token or a key. */
export function secretsOf(
  adminToken: string,
  keys: Pick<Keys, "withId">,
): (keyId: string) => string | undefined {
  const sha256 = hashOf(adminToken);
  const adminId = keyIdOf(sha256);
  return (keyId) => (keyId === adminId ? sha256 : keys.withId(keyId)?.sha256);
}
