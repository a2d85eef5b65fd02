// What `--version` and the manual page say. scripts/compile.ts stamps all of it; a run from the sources is `dev`.

declare const CODEXLB_VERSION: string | undefined;
declare const CODEXLB_COMMIT: string | undefined;
declare const CODEXLB_TARGET: string | undefined;
declare const CODEXLB_DATE: string | undefined;

export const VERSION = typeof CODEXLB_VERSION === "string" ? CODEXLB_VERSION : "dev";
export const COMMIT = typeof CODEXLB_COMMIT === "string" ? CODEXLB_COMMIT : "unknown";
/** What it was built for, `linux-x64-musl`; a run from the sources names the platform. */
export const TARGET =
  typeof CODEXLB_TARGET === "string" ? CODEXLB_TARGET : `${process.platform}-${process.arch}`;
/** The day of the commit, `2026-01-31`; undefined when it is not known. */
export const BUILT = typeof CODEXLB_DATE === "string" && CODEXLB_DATE !== "" ? CODEXLB_DATE : undefined;

/** Whether `version` is newer than this program. False if either is not a release, such as `dev`. */
export function isNewer(version: string): boolean {
  return [version, VERSION].every((one) => RELEASE.test(one)) && Bun.semver.order(version, VERSION) > 0;
}

// --- internal ---

const RELEASE = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;
