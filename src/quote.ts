// Words of a POSIX shell.

/** `word` as a shell reads it back; words of harmless characters stay unquoted. */
export function quote(word: string): string {
  if (/^[A-Za-z0-9_\-./:@%+=,]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}
