// What `codexlb run` asks of the proxy when Codex renews its stub.

const NAME = "id_token";
const KEEP = "keep";

/**
 * The query that keeps Codex's id token, because the proxy's own does not name the owner of the user's threads. A proxy
 * that does not know it sends its own id token.
 */
export const KEEP_ID_TOKEN = `?${NAME}=${KEEP}`;

/** True if `query` has it. */
export function keepsIdToken(query: Readonly<Record<string, string>>): boolean {
  return query[NAME] === KEEP;
}
