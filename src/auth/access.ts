// Who is asking: the one place that turns what a request shows into a role, and knows what ends with what.

import { TARGET_HEADER } from "../core/hops.ts";
import type { Deps } from "../deps.ts";
import type { Challenges } from "./challenges.ts";
import type { Keys } from "./keys.ts";
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

/** `admin`: everything. `parent`: a proxy in front. `client`: may send requests. */
export type Role = "admin" | "parent" | "client";

/** What a request has proved. */
export interface Holder {
  readonly role: Role;
  /** What it was let in by; it ends with that. */
  readonly grant: Grant;
  /** It may learn which accounts there are: it is not a client's key, nor was it given for one. */
  readonly readsAccounts: boolean;
  /** Set for a request with a proof in place of a secret: what its body must hash to. */
  readonly bodySha256?: string;
}

/** As much of a request as is looked at. */
export type Asking = Pick<Request, "headers" | "method" | "url">;

export interface Access {
  /** The role that the header `Authorization` or a key in the path proves; undefined when neither does. */
  roleOf(request: Asking, pathKey?: string): Role | undefined;
  /** The same, with what it hangs on. A proof serves one request, so ask about the same object. */
  holderOf(request: Asking, pathKey?: string): Holder | undefined;
  /** What the refresh token of a stub was given for, if that has not ended. */
  grantOfRefreshToken(token: string): Grant | undefined;
  /** A stub, and a key for the paths of what Codex sends without one, for whom `grant` let in. */
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
  /** The holder that a secret is, or that a proof of it makes. */
  const withId = (id: string): Holder | undefined => {
    if (id === adminId) return { role: "admin", grant: adminId, readsAccounts: true };
    const key = keys.withId(id);
    return key && { role: key.role, grant: key.id, readsAccounts: key.role !== "client" };
  };
  /** Stubs and path keys open what a client may, whatever they were given for, and for as long as that holds. */
  const asClient = (grant: Grant | undefined): Holder | undefined => {
    if (grant === ROOT_GRANT) return { role: "client", grant, readsAccounts: true };
    const giver = grant === undefined ? undefined : withId(grant);
    return giver && { ...giver, role: "client" };
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
  const looked = new WeakMap<Asking, Holder | undefined>();
  const holderOf: Access["holderOf"] = (request, pathKey) => {
    // Several places ask about one request, and a proof is good for one look.
    if (!looked.has(request)) looked.set(request, ofHeader(request));
    const holder =
      looked.get(request) ??
      (pathKey === undefined ? undefined : asClient(grantOfPathKey(pathKey, signingKey, clock.now())));
    if (holder !== undefined) keys.used(holder.grant);
    return holder;
  };
  return {
    holderOf,
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

/** What a proof names by `keyId`, as a hash: the admin token or a key. */
export function secretsOf(
  adminToken: string,
  keys: Pick<Keys, "withId">,
): (keyId: string) => string | undefined {
  const sha256 = hashOf(adminToken);
  const adminId = keyIdOf(sha256);
  return (keyId) => (keyId === adminId ? sha256 : keys.withId(keyId)?.sha256);
}
