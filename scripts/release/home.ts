// Where releases are published and under which names. Every URL of a release is built here.

/** The repository on GitHub, `owner/name`; the environment variable overrides it for forks and rehearsals. */
export const REPOSITORY = process.env.CODEXLB_REPOSITORY ?? "gngeorgiev/codexlb";

export const HOMEPAGE = `https://github.com/${REPOSITORY}`;

/** One line about the program, for package managers. At most 80 characters, as Homebrew requires. */
export const SUMMARY = "Run OpenAI's Codex CLI over several ChatGPT accounts";

/** The address of `file` in the release `version` (without a leading `v`). */
export function downloadUrl(version: string, file: string): string {
  return `${HOMEPAGE}/releases/download/v${version}/${file}`;
}
