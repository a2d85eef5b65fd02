// Which backend paths clients can reach. An account's token gives access to everything that its owner can do on the
// website, and Codex needs only a small part of that.

/**
 * True when Codex uses `path` (with or without a leading `/backend-api`), or when `path` begins with one of `further`:
 * segments such as `conversations` or `accounts/settings`, or `*` for every path. The path is decoded as the most
 * lenient server would decode it, so that an unusual spelling reaches no more than the plain one.
 */
export function isAllowedPath(path: string, further: readonly string[]): boolean {
  const segments = segmentsOf(path);
  // A key of this proxy in a spelling that was not recognised as one. Neither the backend nor the log may see it.
  if (segments?.[0]?.startsWith("~")) return false;
  if (further.includes("*")) return true;
  if (segments === undefined) return false;
  return (
    startsWithOne(
      segments,
      further.map((allowed) => allowed.toLowerCase()),
    ) ||
    (startsWithOne(segments, CODEX_PATHS) && unservedEndpoint(segments) === undefined)
  );
}

/**
 * The public API endpoint in `path` that ChatGPT's backend does not have, such as `/v1/messages`; undefined if there is
 * none. Below `/v1` this covers every path that Codex does not use.
 */
export function unsupportedEndpoint(path: string): string | undefined {
  return unservedEndpoint(segmentsOf(path) ?? []);
}

/** The first segment of `path`, decoded; undefined if the path has none or cannot be decoded safely. */
export function firstSegment(path: string): string | undefined {
  return segmentsOf(path)?.[0];
}

/** `path` as the most lenient server would read it, without `/backend-api`; undefined if servers could disagree. */
export function plainPath(path: string): string | undefined {
  const segments = segmentsOf(path);
  return segments && `/${segments.join("/")}`;
}

// --- internal ---

/**
 * First segments below the backend's base, or the first two where one would allow too much. "Measured" paths were seen
 * in recorded sessions of Codex 0.107 to 0.171. "Strings" paths occur in the 0.171 executable but in no recorded
 * session.
 */
const CODEX_PATHS = [
  // Measured: responses, models, analytics-events, alpha/search, alpha/notes, alpha/history, images/generations,
  // realtime/calls. Strings: images/edits.
  "codex",
  // Measured: usage, accounts/check, settings/user, rate-limit-reset-credits (and consume), security-setup, apps
  // (0.125). Strings: tasks, environments, config/bundle, profiles/me, workspace-messages, remote/control,
  // agent-identities.
  "wham",
  // Measured: the same as below wham, when chatgpt_base_url does not contain /backend-api. Never all of `api`, which
  // also contains the website's session and settings.
  "api/codex",
  // Measured: plugins/installed, plugins/suggested, plugins/tooling-state, mcp. Strings: apps, plugins/workspace.
  "ps",
  // Measured: featured (0.125). Strings: export/curated.
  "plugins",
  // Strings: publishing a plugin to one's workspace. Only that part of `public`.
  "public/plugins",
  // Measured: directory/list, with a doubled slash in front (0.125).
  "connectors",
  // Strings: an attachment is announced with POST /files and confirmed with /files/ID/uploaded.
  "files",
  // Strings: whether the owner of an account has been verified for a program that requires it. Never all of `accounts`,
  // which manages the account and, with switch-workspace-token, hands out a token.
  "accounts/verified_access",
  // Seen with a base URL without a path; the openai SDKs send these too. `BELOW_V1` lists the paths below `v1`.
  "v1",
  "responses",
  "models",
  // Strings: more resources below an openai_base_url without a path.
  "alpha",
  "images/generations",
  "images/edits",
  "realtime",
] as const;

/** The paths that Codex requests below an openai_base_url ending in `/v1`. */
const BELOW_V1 = [
  "responses",
  "models",
  "alpha",
  "analytics-events",
  "images/generations",
  "images/edits",
  "live",
  "realtime",
] as const;

/** Endpoints of the public APIs of OpenAI and Anthropic that other clients request, with or without `/v1`. */
const OF_OTHER_APIS = [
  "audio",
  "chat/completions",
  "completions",
  "embeddings",
  "images/variations",
  "messages",
  "moderations",
] as const;

/** Base paths of Codex that a client may put before an endpoint, without the leading `/backend-api`. */
const BASES = ["api/codex", "codex"] as const;

/** How many times a path is decoded; more layers of encoding are not an honest mistake. */
const MOST_DECODINGS = 3;

/** Not allowed in a path: control characters, and bytes that occur only in overlong UTF-8 forms of `.` and `/`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern has to match them
const UNREADABLE = /[\u0000-\u001f\u007f\u00c0\u00c1]/;

/** As `unsupportedEndpoint`, for the segments of a path. */
function unservedEndpoint(segments: readonly string[]): string | undefined {
  const base = BASES.find((one) => startsWithOne(segments, [one]));
  const below = base === undefined ? segments : segments.slice(base.split("/").length);
  const isV1 = below[0] === "v1";
  const rest = isV1 ? below.slice(1) : below;
  const prefix = isV1 ? "/v1" : "";
  const known = OF_OTHER_APIS.find((one) => startsWithOne(rest, [one]));
  if (known !== undefined) return `${prefix}/${known}`;
  return isV1 && !startsWithOne(rest, BELOW_V1) ? `${prefix}/${rest[0] ?? ""}` : undefined;
}

/** True if the path begins with the segments of one of `prefixes`. */
function startsWithOne(segments: readonly string[], prefixes: readonly string[]): boolean {
  const plain = `${segments.join("/")}/`;
  return prefixes.some((prefix) => plain.startsWith(`${prefix}/`));
}

/** The decoded segments; undefined if servers could disagree about where the path leads. */
function segmentsOf(path: string): readonly string[] | undefined {
  const plain = decoded(path);
  if (plain === undefined || UNREADABLE.test(plain)) return undefined;
  const segments = plain
    .toLowerCase()
    .split(/[/\\]+/)
    .map((segment) => segment.replace(/;.*$/, "").trim())
    .filter((segment) => segment !== "");
  if (segments.some((segment) => segment === "." || segment === "..")) return undefined;
  return segments[0] === "backend-api" ? segments.slice(1) : segments;
}

/** Removes all layers of percent-encoding; undefined if there are more than `MOST_DECODINGS`. */
function decoded(path: string): string | undefined {
  let plain = path;
  for (let count = 0; count < MOST_DECODINGS; count++) {
    const next = plain.replace(/%([0-9a-f]{2})/gi, (_all, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
    if (next === plain) return plain;
    plain = next;
  }
  return /%[0-9a-f]{2}/i.test(plain) ? undefined : plain;
}
