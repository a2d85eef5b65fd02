// Which paths of the backend clients may reach. An account's token opens everything that its owner can do on the
// website; what Codex needs is a small part of that.

/**
 * True when `path`, with or without `/backend-api` in front, is one that Codex uses, or begins with one of `further`
 * (segments such as `conversations` or `accounts/settings`; `*` stands for every path). The decision is made on the
 * segments as the most lenient server would read them, so no spelling reaches what the plain one does not.
 */
export function isAllowedPath(path: string, further: readonly string[]): boolean {
  const segments = segmentsOf(path);
  // A key of this proxy, written in a way that it was not recognised by: neither the backend nor the log may see it.
  if (segments?.[0]?.startsWith("~")) return false;
  if (further.includes("*")) return true;
  if (segments === undefined) return false;
  const plain = `${segments.join("/")}/`;
  return (
    CODEX_PATHS.some((allowed) => plain.startsWith(`${allowed}/`)) ||
    further.some((allowed) => plain.startsWith(`${allowed.toLowerCase()}/`))
  );
}

/** The first segment of `path`, without escapes; undefined when it has none or cannot be read. */
export function firstSegment(path: string): string | undefined {
  return segmentsOf(path)?.[0];
}

// --- internal ---

/**
 * First segments (where one is too wide: the first two) below the backend's base. "Measured" was seen in recorded
 * sessions of Codex 0.107 to 0.171; "strings" stands in the 0.171 executable and was not seen in a session.
 */
const CODEX_PATHS = [
  // Measured: responses, models, analytics-events, alpha/search, images/generations, realtime/calls. Strings:
  // alpha/notes, alpha/history, images/edits.
  "codex",
  // Measured: usage, accounts/check, settings/user, rate-limit-reset-credits, security-setup, apps (0.125). Strings:
  // tasks, environments, config/bundle, profiles/me, workspace-messages, remote/control, agent-identities.
  "wham",
  // Measured: the same as below wham, when chatgpt_base_url does not contain /backend-api. Never all of `api`: below it
  // are the session and the settings of the website.
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
  // Strings: whether an account was let into a program that needs a check of its owner. Never all of `accounts`: it
  // manages the account, and switch-workspace-token hands out a token.
  "accounts/verified_access",
  // Measured with a base URL that has no path, and what the openai SDKs send.
  "v1",
  "responses",
  "models",
  "chat/completions",
  // Strings: further resources below openai_base_url, when it has no path.
  "alpha",
  "images/generations",
  "images/edits",
  "realtime",
] as const;

/** How often a server may decode a path; nobody encodes a path more often in good faith. */
const MOST_DECODINGS = 3;

/** Never in a path: control characters, and bytes that only overlong UTF-8 spellings of `.` and `/` contain. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
const UNREADABLE = /[\u0000-\u001f\u007f\u00c0\u00c1]/;

/** Undefined: servers may disagree about where the path leads. */
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

/** Without percent-encoding, however often it was applied; undefined when that is more often than anybody means. */
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
