// The models catalogue is an account's own, and every turn's answer names its version (`x-models-etag`): a Codex that
// hears of another one than it has fetches the catalogue anew, at once. Turns of several accounts would make it do so
// all the time, so that all of them are told as one version, which changes when the backend changes an account's.

export interface Catalogues {
  /**
   * What clients of `clientVersion` (the catalogue depends on it) are told in place of `etag`, which `accountId` has
   * told now.
   */
  unify(clientVersion: string, accountId: string, etag: string): string;
}

/** Versions of Codex times accounts; far more than anybody has. */
const MOST_KNOWN = 10_000;

export function createCatalogues(): Catalogues {
  const known = new Map<string, string>();
  const common = new Map<string, string>();
  return {
    unify: (clientVersion, accountId, etag) => {
      const key = `${clientVersion} ${accountId}`;
      const before = known.get(key);
      if (before === undefined && known.size >= MOST_KNOWN) {
        known.clear();
        common.clear();
      }
      known.set(key, etag);
      const told = common.get(clientVersion);
      if (told !== undefined && (before === undefined || before === etag)) return told;
      common.set(clientVersion, etag);
      return etag;
    },
  };
}
