// Prepares README.md for packages, which contain none of the other pages.

import { HOME_PAGE } from "./home.ts";

/** Makes the relative links of `markdown` lead to the files of `version` on GitHub. */
export function withAbsoluteLinks(markdown: string, version: string): string {
  return markdown.replaceAll(/\]\((?![a-z]+:|#)([^)]+)\)/g, `](${HOME_PAGE}/blob/v${version}/$1)`);
}
