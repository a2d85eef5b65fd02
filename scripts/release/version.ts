// Checks the version of a release.

import { CodexlbError } from "../../src/errors.ts";

/**
 * Returns `text` if it is a semantic version such as `1.2.3` or `1.2.3-rc.1`. Otherwise throws `usage`, also if `text`
 * begins with a `v` (which only the tag does) or has build metadata (which npm ignores).
 */
export function parseVersion(text: string): string {
  if (SEMANTIC_VERSION.test(text)) return text;
  throw new CodexlbError(
    "usage",
    `reading the version of the release: ${JSON.stringify(text)} is not a version`,
    {
      next: "write it like make release VERSION=1.2.3 or VERSION=1.2.3-rc.1",
    },
  );
}

// --- internal ---

/** The regular expression of semver.org, without build metadata. */
const SEMANTIC_VERSION =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?$/;
