// The model catalogue for a client whose key allows only certain models. It has a version of its own, which every turn
// of the client names, too.

import { createHash } from "node:crypto";
import { readBounded } from "../bounded-fetch.ts";
import { remembered } from "../core/bounded-map.ts";
import { CATALOGUE_LIMIT_BYTES, readCatalogue, restrictedCatalogue } from "../core/catalogue.ts";
import { allowsModel } from "../core/key-limits.ts";
import type { PoolCatalogue } from "../upstream/catalogue-bodies.ts";
import { isModelsPath } from "../upstream/paths.ts";
import { decodeBody } from "./bodies.ts";
import type { IncomingRequest } from "./context.ts";
import { limitsOfClient } from "./key-limits.ts";

/** The pool's catalogue with the models that the client's key allows. */
export function limitedCatalogue(
  catalogue: PoolCatalogue,
  incoming: Pick<IncomingRequest, "holder">,
): PoolCatalogue {
  const models = limitsOfClient(incoming)?.models;
  if (models === undefined) return catalogue;
  const version = versionFor(catalogue.version, models);
  const known = restricted.get(catalogue) ?? new Map<string, PoolCatalogue>();
  restricted.set(catalogue, known);
  const made = known.get(version);
  if (made !== undefined) return made;
  const text = allowedText(new TextDecoder().decode(catalogue.bytes), models);
  const limited = { version, bytes: new TextEncoder().encode(text) };
  known.set(version, limited);
  return limited;
}

/** The version of the client's catalogue, if that of the pool is `version`. */
export function limitedVersion(version: string, holder: IncomingRequest["holder"]): string {
  const models = limitsOfClient({ holder })?.models;
  return models === undefined ? version : versionFor(version, models);
}

/**
 * The reply of one account to a catalogue request, with the models that the client's key allows. Returns `response` if
 * the request is another one or the key allows all models.
 */
export async function allowedModels(incoming: IncomingRequest, response: Response): Promise<Response> {
  const models = limitsOfClient(incoming)?.models;
  const isCatalogue = incoming.request.method === "GET" && isModelsPath(incoming.path);
  if (models === undefined || !isCatalogue || !response.ok) return response;
  const { bytes, isWhole } = await readBounded(response, CATALOGUE_LIMIT_BYTES);
  const text = isWhole ? await decodeBody(bytes, response.headers.get("content-encoding")) : undefined;
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length", "etag"]) headers.delete(name);
  return new Response(allowedText(text ?? "", models), { status: response.status, headers });
}

// --- internal ---

/** What was made of each catalogue of the pool, while that is in use: one for each list of patterns. */
const restricted = new WeakMap<PoolCatalogue, Map<string, PoolCatalogue>>();

/** `text` with the allowed models; an empty catalogue if `text` is none. */
function allowedText(text: string, models: readonly string[]): string {
  const catalogue = readCatalogue(text);
  if (catalogue === undefined) return '{"models":[]}';
  return restrictedCatalogue(catalogue, (slug) => allowsModel(models, slug));
}

/** An entity tag that changes with the pool's catalogue and with the patterns. */
function versionFor(version: string, models: readonly string[]): string {
  return tagOf(`${version} ${models.join()}`);
}

/** How many entity tags are remembered: one for each list of patterns, and each version of Codex. */
const MOST_TAGS = 64;
const tagOf = remembered(
  MOST_TAGS,
  (key) => `"${createHash("sha256").update(key).digest("hex").slice(0, 32)}"`,
);
