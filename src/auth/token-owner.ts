// Looks up the owner of a personal access token. The token is opaque and its file does not name the owner, so the
// sign-in service is asked, as Codex does at every start.

import { z } from "zod";
import { advised } from "../advice.ts";
import { type Answer, boundedFetch } from "../bounded-fetch.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, connectProblem } from "../errors.ts";
import { ownerlessToken, withOwner } from "./auth-file.ts";
import { checkNetwork, issuerOf } from "./oauth.ts";

/**
 * Adds the owner of a personal access token to the text of an auth.json. Returns any other login unchanged. `name` is
 * used in errors. Throws `invalid_auth_file` for a token that the sign-in service rejects or that codexlb cannot serve,
 * and `upstream_unreachable`.
 */
export async function withTokenOwner(auth: string, name: string, deps: Pick<Deps, "env">): Promise<string> {
  const token = ownerlessToken(auth);
  if (token === undefined) return auth;
  const response = await fetchOwner(`${issuerOf(deps)}${WHOAMI}`, token);
  if (response.status === 401 || response.status === 403)
    throw refused(name, `the sign-in service rejected it (${response.status})`);
  const owner = Owner.safeParse(parseJson(response.text));
  if (!response.ok || !owner.success)
    throw new CodexlbError(
      "upstream_unreachable",
      `looking up the owner of the personal access token in ${name}: the sign-in service returned ${response.status}`,
      {
        next: "try again later",
      },
    );
  const { chatgpt_account_id, chatgpt_user_id, chatgpt_plan_type, email } = owner.data;
  // Requests of such accounts need an extra header, and no other host may get them.
  if (owner.data.chatgpt_account_is_fedramp)
    throw refused(name, "it belongs to a FedRAMP workspace, which codexlb does not support");
  return withOwner(auth, {
    accountId: chatgpt_account_id,
    userId: chatgpt_user_id,
    email: email ?? undefined,
    planType: chatgpt_plan_type,
  });
}

// --- internal ---

const WHOAMI = "/api/accounts/v1/user-auth-credential/whoami";
const BOUNDS = { limitBytes: 64 * 1024, timeoutMs: 15_000 };

const Owner = z.object({
  email: z.string().nullish(),
  chatgpt_user_id: z.string(),
  chatgpt_account_id: z.string(),
  chatgpt_plan_type: z.string(),
  chatgpt_account_is_fedramp: z.boolean().default(false),
});

async function fetchOwner(url: string, token: string): Promise<Answer> {
  try {
    return await boundedFetch(url, { headers: { authorization: `Bearer ${token}` } }, BOUNDS);
  } catch (error) {
    throw new CodexlbError(
      "upstream_unreachable",
      `looking up the owner of the personal access token at ${url}: ${connectProblem(error)}`,
      { next: checkNetwork(), cause: error },
    );
  }
}

function refused(name: string, why: string): CodexlbError {
  return new CodexlbError(
    "invalid_auth_file",
    `the personal access token in ${name} cannot be used: ${why}`,
    {
      next: `log in with: ${advised("account login", "ALIAS")}`,
    },
  );
}
