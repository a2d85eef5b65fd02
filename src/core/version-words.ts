// The words that ask for the version.

export const VERSION_WORDS: ReadonlySet<string> = new Set(["--version", "-version", "-v", "-V", "version"]);
