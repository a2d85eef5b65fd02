// Reads the session and the model of a request, which placement needs. The session is Codex's root thread, from a
// header (spelled in two ways, depending on the version) or else from the body. The model of a turn comes from the
// body.

import { memberOf, membersOf, stringFields, textAt } from "../core/json.ts";
import { appsKey, fileKey } from "../upstream/state-keys.ts";
import { statePathOf } from "../upstream/state-paths.ts";
import { type BodyContent, decodeBody, decodeStart, sizeOf } from "./bodies.ts";

/** The key from the headers alone. */
export function sessionFromHeaders(headers: Headers): string | undefined {
  return nonEmpty(headers.get("session-id") ?? headers.get("session_id"));
}

export interface RequestFacts {
  readonly session: string | undefined;
  readonly model: string | undefined;
}

/**
 * Session and model of a request with a buffered body. The session comes from its header (or that of the apps server),
 * else from `prompt_cache_key`, else (searches) from `id`, or (notes and history) from `context.session_id`. An uploaded
 * file has a key of its own. `turn`: the request is a turn, which has a model.
 */
export async function factsOfRequest(
  headers: Headers,
  body: BodyContent,
  { path, turn }: { readonly path: string; readonly turn: boolean },
): Promise<RequestFacts> {
  const state = statePathOf(path);
  if (state?.kind === "files" && state.fileId !== undefined)
    return { session: fileKey(state.fileId), model: undefined };
  const named = sessionFromHeaders(headers) ?? appsSession(headers);
  if (sizeOf(body) === 0) return { session: named, model: undefined };
  const encoding = headers.get("content-encoding");
  if (named !== undefined) return { session: named, model: turn ? await modelOf(body, encoding) : undefined };
  const text = await decodeBody(body, encoding);
  if (text === undefined) return { session: undefined, model: undefined };
  if (state !== undefined) return { session: sessionInContext(text), model: undefined };
  const { prompt_cache_key, id, model } = stringFields(text, ["prompt_cache_key", "id", "model"]);
  return {
    session: nonEmpty(prompt_cache_key ?? (path.endsWith("/alpha/search") ? id : undefined)),
    model: turn ? nonEmpty(model) : undefined,
  };
}

/** The key of the session of the apps server (MCP) in the headers of a request or a response. */
export function appsSession(headers: Headers): string | undefined {
  const id = nonEmpty(headers.get("mcp-session-id"));
  return id === undefined ? undefined : appsKey(id);
}

/** The first `model` of the JSON object `text`, which may be truncated after it. */
export function modelIn(text: string): string | undefined {
  for (const member of membersOf(text)) if (member.name === "model") return nonEmpty(textAt(text, member));
  return undefined;
}

// --- internal ---

/** `context.session_id` of the JSON object `text`. */
function sessionInContext(text: string): string | undefined {
  const context = memberOf(text, "context");
  const id = context && memberOf(text, "session_id", context.start);
  return id && nonEmpty(textAt(text, id));
}

/** Codex writes the model first, so the start of its bodies is enough. Other clients may write it later. */
async function modelOf(body: BodyContent, encoding: string | null): Promise<string | undefined> {
  const start = await decodeStart(body, encoding);
  const model = start === undefined ? undefined : modelIn(start);
  if (model !== undefined) return model;
  const text = await decodeBody(body, encoding);
  return text === undefined ? undefined : modelIn(text);
}

function nonEmpty(value: string | null | undefined): string | undefined {
  return value === null || value === undefined || value.trim() === "" ? undefined : value.trim();
}
