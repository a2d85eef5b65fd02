// Parses the URLs of child proxies in the settings: `http://host:8765`, with a key `http://:KEY@host:8765`, with a path
// prefix `https://host/codexlb`.

import { withoutTrailingSlash } from "../core/urls.ts";

export interface ChildLink {
  /** `child:<url>`, as in the Go program; without the key, which may change. */
  readonly id: string;
  /** Without the key and without a trailing slash. */
  readonly url: string;
  /** A key with the role `parent` that was created on the child. */
  readonly key: string | undefined;
}

/** The links in `urls`, which must be valid URLs. Each address occurs once. */
export function childLinks(urls: readonly string[]): ChildLink[] {
  const links = urls.map(linkOf);
  return links.filter((link, index) => links.findIndex(({ id }) => id === link.id) === index);
}

/** The URL of `path` at the child. */
export function addressAt({ url }: ChildLink, path: string): string {
  return `${url}${path}`;
}

/** Adds the key to `headers`. */
export function withKey({ key }: ChildLink, headers: Headers): Headers {
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
  return headers;
}

// --- internal ---

function linkOf(text: string): ChildLink {
  const url = new URL(text);
  // Without the colon, `http://KEY@host`, the key is the user name.
  const key = decodeURIComponent(url.password || url.username);
  url.username = "";
  url.password = "";
  const plain = withoutTrailingSlash(`${url.origin}${url.pathname}`);
  return { id: `child:${plain}`, url: plain, key: key === "" ? undefined : key };
}
