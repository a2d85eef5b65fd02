// The words on the command line that request the version.

export const VERSION_WORDS: ReadonlySet<string> = new Set(["--version", "-version", "-v", "-V", "version"]);
