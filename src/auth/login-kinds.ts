// The types of logins that an auth.json of Codex can have, and why codexlb cannot serve some of them.

/** Why codexlb cannot serve the login in `raw`; undefined if it can. */
export function unservedKind(raw: unknown): string | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const file = raw as Record<string, unknown>;
  const mode = typeof file.auth_mode === "string" ? file.auth_mode : "";
  const byMode = UNSERVED.find((kind) => kind.mode?.test(mode));
  if (byMode !== undefined) return byMode.why;
  if (file.tokens) return undefined;
  const byKey = UNSERVED.find(({ key }) => file[key]);
  if (byKey !== undefined) return byKey.why;
  return SERVED_MODES.has(mode) ? undefined : `has the unknown login type ${JSON.stringify(mode)}`;
}

// --- internal ---

/** Login types that codexlb cannot serve: their `auth_mode`, and the key under which Codex 0.171 stores them. */
const UNSERVED: readonly { readonly mode?: RegExp; readonly key: string; readonly why: string }[] = [
  {
    mode: /^agent_?identity$/i,
    key: "agent_identity",
    why: "contains an agent identity; only Codex has the key that signs its requests, so codexlb cannot use it",
  },
  {
    mode: /^bedrock/i,
    key: "bedrock_api_key",
    why: "contains an Amazon Bedrock login, not a ChatGPT login",
  },
  // With tokens as well, the mode does not matter.
  { key: "OPENAI_API_KEY", why: "contains an API key, not a ChatGPT login" },
];

/** `chatgptAuthTokens`: tokens of another program. Only that program can renew them. */
const SERVED_MODES: ReadonlySet<string> = new Set(["", "chatgpt", "chatgptAuthTokens", "apikey"]);
