// Where the project's releases are published.

/** Owner and name of the repository on GitHub. `RELEASE_REPOSITORY` overrides it, for a fork that makes releases. */
export const REPOSITORY = process.env.RELEASE_REPOSITORY || "gngeorgiev/codexlb";

export const HOME_PAGE = `https://github.com/${REPOSITORY}`;

/** The address of `file` in the release of `version`, which is written without a `v`. */
export function releaseUrl(version: string, file: string): string {
  return `${HOME_PAGE}/releases/download/v${version}/${file}`;
}
