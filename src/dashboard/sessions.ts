// Who may use the dashboard: one-time links, and the sessions of browsers that opened one. Everything is in memory, so a
// restart of the proxy ends all of it.

import { equalSecrets, hashOf, newSecret } from "../auth/secrets.ts";
import type { Deps } from "../deps.ts";

/** How long a link works, ms. */
export const LINK_LIFETIME_MS = 60_000;
/** How long a browser may use the dashboard after it opened a link, ms. */
export const SESSION_LIFETIME_MS = 12 * 60 * 60_000;

/** The two secrets of a browser. Both are needed for every request. */
export interface SessionSecrets {
  /** Sent in a cookie, which the page's scripts cannot read. */
  readonly cookie: string;
  /** Sent in a header, which only the page's scripts can set. Cookies are shared by all ports of a host; this is not. */
  readonly csrf: string;
}

export interface DashboardSessions {
  /** Creates the token of a link. It works once, for `LINK_LIFETIME_MS`. */
  newLink(): string;
  /** Starts a session for the token of a link; undefined if the token is unknown, used or expired. */
  start(token: string): SessionSecrets | undefined;
  /** True if the secrets belong to a session that has not expired. */
  admits(secrets: SessionSecrets): boolean;
}

/** Starts without links and sessions. */
export function createSessions({ clock, random }: Pick<Deps, "clock" | "random">): DashboardSessions {
  const links = createVault<true>(clock, MOST_LINKS, LINK_LIFETIME_MS);
  const sessions = createVault<string>(clock, MOST_SESSIONS, SESSION_LIFETIME_MS);
  return {
    newLink: () => {
      const token = newSecret(random);
      links.put(token, true);
      return token;
    },
    start: (token) => {
      if (links.get(token) === undefined) return undefined;
      links.remove(token);
      const secrets = { cookie: newSecret(random), csrf: newSecret(random) };
      sessions.put(secrets.cookie, secrets.csrf);
      return secrets;
    },
    admits: ({ cookie, csrf }) => {
      const expected = sessions.get(cookie);
      return expected !== undefined && equalSecrets(csrf, expected);
    },
  };
}

// --- internal ---

/** More links than a user opens within a minute. The oldest one is dropped. */
const MOST_LINKS = 20;
const MOST_SESSIONS = 50;

interface Vault<Value> {
  put(secret: string, value: Value): void;
  get(secret: string): Value | undefined;
  remove(secret: string): void;
}

/** Keeps at most `most` values for `lifetimeMs` each. It compares hashes, so its timing reveals nothing of a secret. */
function createVault<Value>(clock: Deps["clock"], most: number, lifetimeMs: number): Vault<Value> {
  const kept = new Map<string, { readonly value: Value; readonly endsMs: number }>();
  return {
    put: (secret, value) => {
      kept.set(hashOf(secret), { value, endsMs: clock.monotonic() + lifetimeMs });
      const oldest = kept.size > most ? kept.keys().next().value : undefined;
      if (oldest !== undefined) kept.delete(oldest);
    },
    get: (secret) => {
      const id = hashOf(secret);
      const entry = kept.get(id);
      if (entry === undefined || entry.endsMs > clock.monotonic()) return entry?.value;
      kept.delete(id);
      return undefined;
    },
    remove: (secret) => void kept.delete(hashOf(secret)),
  };
}
