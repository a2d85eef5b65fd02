/** The pinned version of Bun. */
export const BUN_VERSION: string;
/** The hash of the npm package for each target, in the registry's format. */
export const INTEGRITY: Readonly<Record<string, string>>;
/** The directory for fetched tools, outside version control. */
export const TOOLS: string;
export function hostTarget(): string;
export function fetchRuntime(target: string): string;
