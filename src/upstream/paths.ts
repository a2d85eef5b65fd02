// Client paths to backend paths, and which of them carry turns.

import { remembered } from "../core/bounded-map.ts";
import { withoutTrailingSlash } from "../core/urls.ts";

/** The paths of Codex are few, and every request asks for several facts about its own. */
const MOST_PATHS = 256;

/** True for the paths on which an account's allowance is spent: responses (old and new spelling) and chat completions. */
export const isTurnPath = remembered(MOST_PATHS, (path) => {
  const lower = path.toLowerCase();
  return TURN_PATH.test(lower) || lower.includes("/chat/completions");
});

/** True for a turn that streams its answer; `/responses/compact` and other sub-resources answer in one piece. */
export const isStreamedTurnPath = remembered(MOST_PATHS, (path) => {
  const lower = path.toLowerCase();
  return lower.endsWith("/responses") || lower.includes("/chat/completions");
});

/** True for the compaction of a history in one piece, as Codex up to 0.125 does it. */
export const isCompactPath = remembered(MOST_PATHS, (path) => /\/responses\/compact$/i.test(path));

/** True for the model catalogue under any of its prefixes. */
export const isModelsPath = remembered(
  MOST_PATHS,
  (path) => MODELS.test(path) || /\/codex\/models$/i.test(path),
);

/**
 * The path on the backend whose base URL has the path `basePath`, for the client's `path`. With a base of
 * `…/backend-api`: `/responses…` and `/v1/responses…` go to `…/codex/responses…`, `/models` (with or without `/v1`)
 * to `…/codex/models`, `/v1/images…`, `/v1/alpha…` and `/v1/realtime…` below `…/codex`, `/api/codex/apps…` to `…/wham/apps…`, chat completions to `…/codex/responses`, anything else
 * below the base. The case of what is passed on is kept.
 */
export function backendPath(basePath: string, path: string): string {
  const base = withoutTrailingSlash(basePath);
  if (!base.includes("/backend-api")) return base === "" ? path : join(base, path);
  const codex = base.includes("/codex") ? base : `${base}/codex`;
  const responses = RESPONSES.exec(path);
  if (responses !== null) return `${codex}/responses${responses[1] ?? ""}`;
  if (MODELS.test(path)) return `${codex}/models`;
  const further = CODEX_BELOW_V1.exec(path);
  if (further !== null) return `${codex}/${further[1]}`;
  const apps = APPS.exec(path);
  if (apps !== null) return `${base}/wham/apps${apps[1] ?? ""}`;
  if (path.includes("/chat/completions")) return `${codex}/responses`;
  return join(base, path);
}

/** True for `GET …/wham/accounts/check`, under any of its prefixes and however it is spelt. */
export const isAccountsCheckPath = remembered(MOST_PATHS, (path) =>
  /\/(?:wham|api\/codex)\/accounts\/check$/.test(plain(path)),
);

/** True for the usage endpoint, under any of its prefixes and however it is spelt. */
export const isUsagePath = remembered(MOST_PATHS, (path) =>
  /^\/usage$|\/(?:wham|api\/codex)\/usage\/?$/.test(plain(path)),
);

// --- internal ---

const TURN_PATH = /^(?:\/v1)?\/responses(?:\/|$)|\/codex\/responses(?:\/|$)/;
const RESPONSES = /^(?:\/v1)?\/responses(\/.*)?$/i;
const MODELS = /^(?:\/v1)?\/models$/i;
/** What Codex asks for below its base URL besides responses and models. */
const CODEX_BELOW_V1 = /^\/v1\/((?:images|alpha|realtime)\/.*)$/i;
const APPS = /^\/api\/codex\/apps(\/.*)?$/i;
/** As a backend would read it: without escapes that need none, and without doubled slashes. */
function plain(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, unescaped).replace(/\/{2,}/g, "/");
}

function unescaped(escaped: string, code: string): string {
  const character = String.fromCharCode(Number.parseInt(code, 16));
  return /[\w.~/-]/.test(character) ? character : escaped;
}

/** `path` below `base`, unless it is there already. */
function join(base: string, path: string): string {
  return path === base || path.startsWith(`${base}/`)
    ? path
    : `${base}${path.startsWith("/") ? "" : "/"}${path}`;
}
