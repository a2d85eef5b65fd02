// Where the project's releases are published.

/** Owner and name of the repository on GitHub. `RELEASE_REPOSITORY` overrides it, for a fork that makes releases. */
export const REPOSITORY = process.env.RELEASE_REPOSITORY || "gngeorgiev/codexlb";

export const HOME_PAGE = `https://github.com/${REPOSITORY}`;

/** The address of `file` in the release of `version`, which is written without a `v`. */
export function releaseUrl(version: string, file: string): string {
  return `${HOME_PAGE}/releases/download/v${version}/${file}`;
}

/** The npm scope of the packages that hold one executable each; the launcher's package is `codexlb`. */
export const NPM_SCOPE = "@codexlb";

/** As deb and rpm packages name their maintainer. */
export const MAINTAINER = `${owner()} <${owner()}@users.noreply.github.com>`;

/** One line about the program, for package managers. At most 80 characters, as Homebrew requires. */
export const SUMMARY = "Run OpenAI's Codex CLI over several ChatGPT accounts";

// --- internal ---

function owner(): string {
  return REPOSITORY.split("/")[0] ?? REPOSITORY;
}
