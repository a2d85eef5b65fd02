// Names the places where the project publishes its releases.

/** Owner and name of the repository on GitHub. A fork overrides it with `RELEASE_REPOSITORY`. */
export const REPOSITORY = process.env.RELEASE_REPOSITORY || "gngeorgiev/codexlb";

export const HOME_PAGE = `https://github.com/${REPOSITORY}`;

/** The URL of `file` in the release of `version`. The version has no leading `v`. */
export function releaseUrl(version: string, file: string): string {
  return `${HOME_PAGE}/releases/download/v${version}/${file}`;
}

/**
 * The npm scope of the packages that contain one executable each. The launcher's package is `codexlb`, without scope.
 */
export const NPM_SCOPE = "@codexlb";

/** The maintainer in deb and rpm packages. */
export const MAINTAINER = `${owner()} <${owner()}@users.noreply.github.com>`;

/** The one-line description for package managers. Homebrew allows at most 80 characters. */
export const SUMMARY = "Run OpenAI's Codex CLI over several ChatGPT accounts";

// --- internal ---

function owner(): string {
  return REPOSITORY.split("/")[0] ?? REPOSITORY;
}
