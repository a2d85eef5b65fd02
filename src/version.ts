// What `--version` says. scripts/compile.ts stamps both; a run from the sources is `dev`.

declare const CODEXLB_VERSION: string | undefined;
declare const CODEXLB_COMMIT: string | undefined;

export const VERSION = typeof CODEXLB_VERSION === "string" ? CODEXLB_VERSION : "dev";
export const COMMIT = typeof CODEXLB_COMMIT === "string" ? CODEXLB_COMMIT : "unknown";
