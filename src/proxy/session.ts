// Which session a request belongs to: Codex's root thread, told by a header (two spellings over the versions), or
// by the body when a client sends no such header.

import { stringFields } from "../core/json.ts";
import { type BodyContent, decodeBody, sizeOf } from "./bodies.ts";

/** The key from the headers alone. */
export function sessionFromHeaders(headers: Headers): string | undefined {
  return nonEmpty(headers.get("session-id") ?? headers.get("session_id"));
}

/** The key of a request with a buffered body: its header (or that of the apps server), else `prompt_cache_key`, else (searches) `id`. */
export async function sessionOf(
  headers: Headers,
  body: BodyContent,
  path: string,
): Promise<string | undefined> {
  const named = sessionFromHeaders(headers) ?? appsSession(headers);
  if (named !== undefined || sizeOf(body) === 0) return named;
  const text = await decodeBody(body, headers.get("content-encoding"));
  if (text === undefined) return undefined;
  const { prompt_cache_key, id } = stringFields(text, ["prompt_cache_key", "id"]);
  return nonEmpty(prompt_cache_key ?? (path.endsWith("/alpha/search") ? id : undefined));
}

/** The key of a session of the apps server (MCP), which lives with the account that opened it. */
export function appsSession(headers: Headers): string | undefined {
  const id = nonEmpty(headers.get("mcp-session-id"));
  return id === undefined ? undefined : `mcp ${id}`;
}

// --- internal ---

function nonEmpty(value: string | null | undefined): string | undefined {
  return value === null || value === undefined || value.trim() === "" ? undefined : value.trim();
}
