// The auth.json of opencode. It has one login for each provider.

import { z } from "zod";
import { objectOf } from "../../core/json.ts";
import type { LoginFormat } from "./format.ts";
import { peerLogin } from "./peer-login.ts";

export const opencodeFormat: LoginFormat = {
  program: "opencode",
  where: "~/.local/share/opencode (auth.json)",
  recognise: ({ json }) => {
    const logins = Object.values(objectOf(json) ?? {});
    return logins.length > 0 && logins.every((login) => KINDS.has(objectOf(login)?.type));
  },
  read: ({ path, json }) => {
    const { openai } = objectOf(json) ?? {};
    if (openai === undefined) return [{ kind: "unusable", path, reason: "no OpenAI login" }];
    const login = ChatGptLogin.safeParse(openai);
    if (!login.success) return [{ kind: "unusable", path, reason: "an OpenAI API key, not a ChatGPT login" }];
    const { access, refresh, accountId } = login.data;
    return [peerLogin(path, { access, refresh, accountId })];
  },
};

// --- internal ---

const KINDS: ReadonlySet<unknown> = new Set(["oauth", "api", "wellknown"]);

const ChatGptLogin = z.looseObject({
  type: z.literal("oauth"),
  access: z.string().optional(),
  refresh: z.string().optional(),
  accountId: z.string().optional(),
});
