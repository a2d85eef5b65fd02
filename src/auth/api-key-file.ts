// The auth.json of an account with an API key: the fields that Codex writes, and the URL that the key belongs to. Both
// are in one file, so that no setting can send the key to another host.

import { z } from "zod";
import { capProblem } from "../core/account-options.ts";
import { parseJson } from "../core/json.ts";
import { withoutTrailingSlash } from "../core/urls.ts";
import { isLoopbackHost } from "../network/private-hosts.ts";

export interface ApiKey {
  readonly key: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
}

export const DEFAULT_API_URL = "https://api.openai.com/v1";

/** The text of the auth.json. Codex 0.171 also writes the first two fields. */
export function apiKeyFile({ key, baseUrl }: ApiKey): string {
  const file = { auth_mode: "apikey", OPENAI_API_KEY: key, [URL_KEY]: withoutTrailingSlash(baseUrl) };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * The API key in `text`, an auth.json that codexlb wrote. A string says why the key is unusable; undefined means that
 * the file has another kind of login.
 */
export function apiKeyIn(text: string): ApiKey | string | undefined {
  const file = KeyFile.safeParse(parseJson(text)).data;
  if (file === undefined) return undefined;
  const { OPENAI_API_KEY: key, [URL_KEY]: baseUrl } = file;
  const problem = apiKeyProblem(key) ?? apiUrlProblem(baseUrl);
  return problem ?? { key, baseUrl: withoutTrailingSlash(baseUrl) };
}

/**
 * `text`, the auth.json of an API key, with the monthly cap of its account: an exported file keeps it for an import.
 */
export function withExportedCap(text: string, capUsd: number): string {
  const file = parseJson(text) as Record<string, unknown>;
  return `${JSON.stringify({ ...file, [CAP_KEY]: capUsd }, undefined, 2)}\n`;
}

/**
 * `text`, an auth.json, without the monthly cap that `withExportedCap` added, and that cap in USD. The cap is undefined
 * and the text unchanged if there is none.
 */
export function takeExportedCap(text: string): {
  readonly auth: string;
  readonly capUsd: number | undefined;
} {
  const found = ExportedFile.safeParse(parseJson(text)).data;
  if (found === undefined) return { auth: text, capUsd: undefined };
  const { [CAP_KEY]: capUsd, ...file } = found;
  return { auth: `${JSON.stringify(file, undefined, 2)}\n`, capUsd };
}

/** Why `key` cannot be an API key; undefined if it can. The text does not contain the key. */
export function apiKeyProblem(key: string): string | undefined {
  if (key === "") return "the API key is empty";
  return KEY.test(key)
    ? undefined
    : "the API key has characters that cannot be sent in a header, or is too long";
}

/** Why the key may not be sent to `url`; undefined if it may. */
export function apiUrlProblem(url: string): string | undefined {
  if (!URL.canParse(url)) return "the base URL is not a URL";
  const { protocol, hostname, username, password, search, hash } = new URL(url);
  if (username !== "" || password !== "") return "the base URL contains a user name or a password";
  if (search !== "" || hash !== "") return "the base URL contains a query or a fragment";
  if (protocol === "https:" || (protocol === "http:" && isLoopbackHost(hostname))) return undefined;
  return "the base URL must begin with https://, except on this machine";
}

// --- internal ---

/** Fields that codexlb adds to those of Codex. The second one is in exported files only. */
const URL_KEY = "codexlb_base_url";
const CAP_KEY = "codexlb_monthly_cap_usd";

const KEY = /^[!-~]{1,1024}$/;

const KeyFile = z.looseObject({
  auth_mode: z.literal("apikey"),
  OPENAI_API_KEY: z.string(),
  [URL_KEY]: z.string(),
});

const ExportedFile = KeyFile.extend({
  [CAP_KEY]: z.number().refine((usd) => capProblem(usd) === undefined),
});
