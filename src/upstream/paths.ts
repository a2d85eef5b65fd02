// Maps client paths to backend paths, and recognises the paths of turns and of other special requests.

import { remembered } from "../core/bounded-map.ts";
import { withoutTrailingSlash } from "../core/urls.ts";

/** Codex uses only a few paths, and every request needs several facts about its path. */
const MOST_PATHS = 256;

/** True for the paths of requests that use quota: responses (old and new spelling) and chat completions. */
export const isTurnPath = remembered(MOST_PATHS, (path) => {
  const lower = path.toLowerCase();
  return TURN_PATH.test(lower) || lower.includes("/chat/completions");
});

/** True for a turn with a streamed response. `/responses/compact` and other sub-resources respond in one piece. */
export const isStreamedTurnPath = remembered(MOST_PATHS, (path) => {
  const lower = path.toLowerCase();
  return lower.endsWith("/responses") || lower.includes("/chat/completions");
});

/** True for the compaction of a history by a request of its own, as Codex up to 0.125 does it. */
export const isCompactPath = remembered(MOST_PATHS, (path) => /\/responses\/compact$/i.test(path));

/** True for the model catalogue under any of its prefixes. */
export const isModelsPath = remembered(
  MOST_PATHS,
  (path) => MODELS.test(path) || /\/codex\/models$/i.test(path),
);

/**
 * The path on the backend whose base URL has the path `basePath`, for the client's `path`. With a base of
 * `…/backend-api`: `/responses…` and `/v1/responses…` become `…/codex/responses…`, `/models` (with or without `/v1`)
 * becomes `…/codex/models`, `/v1/images…`, `/v1/alpha…` and `/v1/realtime…` move below `…/codex`, `/api/codex/apps…`
 * becomes `…/wham/apps…`, chat completions become `…/codex/responses`, and all other paths move below the base. Upper
 * and lower case are kept.
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

/** The path below the base URL of OpenAI's API for a path of the Responses API; undefined for another one. */
export function responsesPath(path: string): string | undefined {
  const [, below] = BELOW_RESPONSES.exec(path) ?? [];
  return below === undefined ? undefined : `/responses${below}`;
}

/** True for `GET …/wham/accounts/check`, under any of its prefixes and in any spelling. */
export const isAccountsCheckPath = remembered(MOST_PATHS, (path) =>
  /\/(?:wham|api\/codex)\/accounts\/check$/.test(plain(path)),
);

/** True for the usage endpoint, under any of its prefixes and in any spelling. */
export const isUsagePath = remembered(MOST_PATHS, (path) =>
  /^\/usage$|\/(?:wham|api\/codex)\/usage\/?$/.test(plain(path)),
);

/** True for the list of reset credits, under any of its prefixes and in any spelling. */
export const isResetCreditsPath = remembered(MOST_PATHS, (path) =>
  /\/(?:wham|api\/codex)\/rate-limit-reset-credits\/?$/.test(plain(path)),
);

/** True for the path that spends a reset credit. */
export const isRedeemPath = remembered(MOST_PATHS, (path) =>
  /\/(?:wham|api\/codex)\/rate-limit-reset-credits\/consume\/?$/.test(plain(path)),
);

// --- internal ---

const TURN_PATH = /^(?:\/v1)?\/responses(?:\/|$)|\/codex\/responses(?:\/|$)/;
const RESPONSES = /^(?:\/v1)?\/responses(\/.*)?$/i;
const BELOW_RESPONSES = /^(?:\/v1|.*\/codex)?\/responses(|\/compact)$/i;
const MODELS = /^(?:\/v1)?\/models$/i;
/** The other paths that Codex uses below its base URL. */
const CODEX_BELOW_V1 = /^\/v1\/((?:images|alpha|realtime)\/.*)$/i;
const APPS = /^\/api\/codex\/apps(\/.*)?$/i;
/** `path` as a backend reads it: without unnecessary escapes and doubled slashes. */
function plain(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, unescaped).replace(/\/{2,}/g, "/");
}

function unescaped(escaped: string, code: string): string {
  const character = String.fromCharCode(Number.parseInt(code, 16));
  return /[\w.~/-]/.test(character) ? character : escaped;
}

/** `path` below `base`, unless it already begins with `base`. */
function join(base: string, path: string): string {
  return path === base || path.startsWith(`${base}/`)
    ? path
    : `${base}${path.startsWith("/") ? "" : "/"}${path}`;
}
