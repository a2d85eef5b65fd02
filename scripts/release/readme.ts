// Writes the README of tarballs and packages. The repository's README links to files that they do not contain.

import { HOME_PAGE } from "./home.ts";
import { fillTemplate } from "./template.ts";

/** The README for users of the release `version`. Its links lead to the documentation of that version on GitHub. */
export function releaseReadme(version: string): string {
  return fillTemplate("README.md.template", {
    version,
    home: HOME_PAGE,
    docs: `${HOME_PAGE}/blob/v${version}/docs`,
  });
}
