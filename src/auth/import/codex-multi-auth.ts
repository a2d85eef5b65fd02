// The account list of codex-multi-auth and of the plugins for opencode by the same author (oc-codex-multi-auth, formerly
// oc-chatgpt-multi-auth), and what their exports contain.

import { z } from "zod";
import { objectOf } from "../../core/json.ts";
import type { LoginFormat } from "./format.ts";
import { peerLogin } from "./peer-login.ts";

/** The name of the list in the directory of the program. */
export const MULTI_AUTH_FILE = "openai-codex-accounts.json";

export const codexMultiAuthFormat: LoginFormat = {
  program: "codex-multi-auth",
  where: `~/.codex/multi-auth or ~/.opencode (${MULTI_AUTH_FILE}), or its export`,
  recognise: ({ json }) => {
    const file = objectOf(json);
    if (file === undefined || typeof file.version !== "number" || !Array.isArray(file.accounts)) return false;
    return file.accounts.length === 0 || file.accounts.some((one) => "refreshToken" in (objectOf(one) ?? {}));
  },
  read: ({ path, json }) => {
    const file = AccountList.safeParse(json);
    if (!file.success)
      return [{ kind: "unusable", path, reason: "a version of the account list that codexlb does not know" }];
    return file.data.accounts.map(({ email, ...account }) =>
      peerLogin(
        path,
        {
          access: account.accessToken,
          refresh: account.refreshToken,
          accountId: account.accountId,
          refreshed: account.tokenRotatedAt,
        },
        email,
      ),
    );
  },
};

// --- internal ---

const text = z.string().optional().catch(undefined);

/** Version 2 has no published description. */
const AccountList = z.looseObject({
  version: z.union([z.literal(1), z.literal(3)]),
  accounts: z.array(
    z.looseObject({
      accountId: text,
      email: text,
      accessToken: text,
      refreshToken: text,
      /** Unix ms; only the plugins write it. */
      tokenRotatedAt: z.number().optional().catch(undefined),
    }),
  ),
});
