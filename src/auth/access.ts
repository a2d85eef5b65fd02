// Who is asking: the one place that turns what a request shows into a role.

import type { Keys } from "./keys.ts";
import { equalSecrets } from "./secrets.ts";
import { isStub, pathKeyOf } from "./stub.ts";

/** `admin`: everything. `parent`: a proxy in front. `client`: may send requests. */
export type Role = "admin" | "parent" | "client";

export interface Access {
  /** The role that the header `Authorization: Bearer ...` or a key in the path proves; undefined when neither does. */
  roleOf(headers: Headers, pathKey?: string): Role | undefined;
}

export interface AccessOptions {
  readonly adminToken: string;
  /** Signs the stubs of this root. */
  readonly signingKey: string;
  readonly keys: Pick<Keys, "roleOf">;
}

export function createAccess({ adminToken, signingKey, keys }: AccessOptions): Access {
  const ownPathKey = pathKeyOf(signingKey);
  const bearerRole = (bearer: string): Role | undefined => {
    if (equalSecrets(bearer, adminToken)) return "admin";
    return keys.roleOf(bearer) ?? (isStub(bearer, signingKey) ? "client" : undefined);
  };
  return {
    roleOf: (headers, pathKey) => {
      const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1];
      const role = bearer === undefined ? undefined : bearerRole(bearer);
      if (role !== undefined || pathKey === undefined) return role;
      return equalSecrets(pathKey, ownPathKey) ? "client" : undefined;
    },
  };
}
