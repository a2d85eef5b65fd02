// Suggestions for misspelled words.

/** The word of `known` that is most similar to `word`; undefined if none is similar enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const most = word.length > 3 ? 2 : 1;
  const ranked = known
    // The distance is at least the difference in length.
    .filter((candidate) => Math.abs(candidate.length - word.length) <= most)
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= most ? best.candidate : undefined;
}

/**
 * The word of `known` of which `word` is the beginning, such as `upstream_base_url` for `upstream`; undefined if there is
 * none, or more than one.
 */
export function completionOf(word: string, known: readonly string[]): string | undefined {
  const [first, ...others] = known.filter((candidate) => candidate.startsWith(`${word}_`));
  return others.length === 0 ? first : undefined;
}

// --- internal ---

/** The Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
