// The way to a child proxy, as the settings write it: `http://host:8765`, with a key `http://:KEY@host:8765`, with a
// path in front `https://host/codexlb`.

import { withoutTrailingSlash } from "../core/urls.ts";

export interface ChildLink {
  /** `child:<url>`, as the Go program calls it; without the key, which may change. */
  readonly id: string;
  /** Without key and without a slash at its end. */
  readonly url: string;
  /** A key of role `parent` that was made there. */
  readonly key: string | undefined;
}

/** The links that `urls` (checked to be URLs) write, each address once. */
export function childLinks(urls: readonly string[]): ChildLink[] {
  const links = urls.map(linkOf);
  return links.filter((link, index) => links.findIndex(({ id }) => id === link.id) === index);
}

/** The address of `path` at the child. */
export function addressAt({ url }: ChildLink, path: string): string {
  return `${url}${path}`;
}

/** `headers` with the key in them. */
export function withKey({ key }: ChildLink, headers: Headers): Headers {
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
  return headers;
}

// --- internal ---

function linkOf(text: string): ChildLink {
  const url = new URL(text);
  // `http://KEY@host` is what people write who forget the colon.
  const key = decodeURIComponent(url.password || url.username);
  url.username = "";
  url.password = "";
  const plain = withoutTrailingSlash(`${url.origin}${url.pathname}`);
  return { id: `child:${plain}`, url: plain, key: key === "" ? undefined : key };
}
