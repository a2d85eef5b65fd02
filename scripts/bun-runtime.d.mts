/** The pinned version of Bun. */
export const BUN_VERSION: string;
/** Hash of the npm package per target, as the registry tells it. */
export const INTEGRITY: Readonly<Record<string, string>>;
/** Where fetched tools are kept, outside of version control. */
export const TOOLS: string;
export function hostTarget(): string;
export function fetchRuntime(target: string): string;
