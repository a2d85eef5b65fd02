// The account files of CLIProxyAPI, one for each account.

import { z } from "zod";
import { objectOf } from "../../core/json.ts";
import type { LoginFormat } from "./format.ts";
import { peerLogin } from "./peer-login.ts";

export const cliProxyApiFormat: LoginFormat = {
  program: "CLIProxyAPI",
  where: "~/.cli-proxy-api (codex-*.json)",
  recognise: ({ json }) => {
    const file = objectOf(json);
    return typeof file?.type === "string" && TOKEN_KEYS.some((key) => key in file);
  },
  read: ({ path, json }) => {
    const file = AccountFile.safeParse(json);
    if (!file.success)
      return [{ kind: "unusable", path, reason: "an account file with content that codexlb does not know" }];
    const { type, email, access_token, refresh_token, id_token, account_id, last_refresh } = file.data;
    // The program serves other providers too.
    if (type !== "codex")
      return [{ kind: "unusable", path, email, reason: `a ${type} login, not a ChatGPT login` }];
    const tokens = {
      access: access_token,
      refresh: refresh_token,
      id: id_token,
      accountId: account_id,
      refreshed: last_refresh,
    };
    return [peerLogin(path, tokens, email)];
  },
};

// --- internal ---

const TOKEN_KEYS = ["access_token", "refresh_token", "token", "api_key"] as const;

const text = z.string().optional().catch(undefined);

const AccountFile = z.looseObject({
  type: z.string(),
  email: text,
  access_token: text,
  refresh_token: text,
  id_token: text,
  account_id: text,
  last_refresh: text,
});
