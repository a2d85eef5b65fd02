// The typed client of the admin API: account operations of a running daemon, over its unix socket.

import { hc } from "hono/client";
import { z } from "zod";
import type { AccountOps } from "../auth/account-ops.ts";
import { CodexlbError, ERROR_CODES, type ErrorCode, messageOf } from "../errors.ts";
import type { AccountApi } from "./accounts.ts";

/** Account operations carried out by the daemon behind `socketPath`. */
export function createAdminClient(socketPath: string): AccountOps {
  const api = hc<AccountApi>("http://localhost", {
    fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, { ...init, unix: socketPath }),
  });
  return {
    list: async () => {
      const { accounts } = Accounts.parse(await answered(api.admin.accounts.$get()));
      return accounts.map((account) => ({
        id: account.id,
        alias: account.alias,
        email: account.user_email,
        chatgptAccountId: account.chatgpt_account_id,
        chatgptUserId: account.chatgpt_user_id,
        enabled: account.enabled,
        disabledReason: account.disabled_reason,
        cooldownUntilMs: account.cooldown_until_ms,
      }));
    },
    import: async (alias, { auth, config, replace }) => {
      const json = {
        alias,
        auth: z.record(z.string(), z.unknown()).parse(JSON.parse(auth)),
        config,
        replace,
      };
      return Done.parse(await answered(api.admin.account.import.$post({ json }))).total;
    },
    remove: async (name) => {
      await answered(api.admin.account.rm.$post({ json: { alias: name } }));
      return name;
    },
    pin: async (name) => {
      await answered(api.admin.account.pin.$post({ json: { alias: name } }));
      return name;
    },
    unpin: async () => {
      await answered(api.admin.account.unpin.$post());
    },
  };
}

/** True when a daemon answers behind `socketPath`. */
export async function daemonAnswers(socketPath: string): Promise<boolean> {
  try {
    const response = await fetch("http://localhost/healthz", {
      unix: socketPath,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return response.ok;
  } catch {
    return false; // no socket, or nobody behind it
  }
}

// --- internal ---

/** A daemon on the same machine that has not answered by then is not going to. */
const ANSWER_TIMEOUT_MS = 2_000;

const Accounts = z.looseObject({
  accounts: z
    .array(
      z.looseObject({
        id: z.string(),
        alias: z.string(),
        user_email: z.string().optional(),
        chatgpt_account_id: z.string().optional(),
        chatgpt_user_id: z.string().optional(),
        enabled: z.boolean(),
        disabled_reason: z.string().optional(),
        cooldown_until_ms: z.number(),
      }),
    )
    .nullable()
    .transform((accounts) => accounts ?? []),
});
const Done = z.looseObject({ total: z.number() });
const Refused = z.looseObject({ error: z.string(), code: z.string().optional() });

async function answered(
  call: Promise<{ ok: boolean; status: number; text(): Promise<string> }>,
): Promise<unknown> {
  let status: number;
  let text: string;
  try {
    const response = await call;
    status = response.status;
    text = await response.text();
    if (response.ok) return JSON.parse(text);
  } catch (error) {
    throw new CodexlbError("proxy_unreachable", `talking to the running proxy: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const refused = Refused.safeParse(safeJson(text));
  if (!refused.success) throw new CodexlbError("proxy_answer", `the running proxy answered ${status}`);
  throw new CodexlbError(codeOf(refused.data.code), refused.data.error);
}

/** The daemon's own code, when this version knows it. */
function codeOf(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "proxy_answer";
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the status has to do
  }
}
