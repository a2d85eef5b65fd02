// Who is asking: the one place that turns what a request shows into a role.

import type { Keys } from "./keys.ts";
import { equalSecrets } from "./secrets.ts";
import { isStub } from "./stub.ts";

/** `admin`: everything. `parent`: a proxy in front. `client`: may send requests. */
export type Role = "admin" | "parent" | "client";

export interface Access {
  /** The role that the header `Authorization: Bearer ...` proves; undefined when it proves nothing. */
  roleOf(headers: Headers): Role | undefined;
}

export interface AccessOptions {
  readonly adminToken: string;
  /** Signs the stubs of this root. */
  readonly signingKey: string;
  readonly keys: Pick<Keys, "roleOf">;
}

export function createAccess({ adminToken, signingKey, keys }: AccessOptions): Access {
  return {
    roleOf: (headers) => {
      const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1];
      if (bearer === undefined) return undefined;
      if (equalSecrets(bearer, adminToken)) return "admin";
      return keys.roleOf(bearer) ?? (isStub(bearer, signingKey) ? "client" : undefined);
    },
  };
}
