// Keys for clients that cannot use the credentials of `codexlb run`, and for proxies in front of this one. Only their
// hashes are stored; a key is shown once, when it is created.

import { advised } from "../advice.ts";
import { tagsProblem } from "../core/account-options.ts";
import type { TagDemand } from "../core/account-tags.ts";
import {
  changedLimits,
  type KeyLimitChanges,
  type KeyLimits,
  type KeyUse,
  limitsProblem,
} from "../core/key-limits.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { writeFileAtomic } from "../state/atomic-file.ts";
import { createKeyLimiter, type KeptUse, type KeyLimiter } from "./key-limiter.ts";
import type { KeyShares } from "./key-share.ts";
import { openKeyUse } from "./key-use-file.ts";
import { type KeptKey, type KeyRole, keptLimits, keysText, limitsOf, readKeys } from "./keys-file.ts";
import { keyIdOf } from "./proof.ts";
import { hashOf, newSecret } from "./secrets.ts";

export interface KeyInfo {
  readonly name: string;
  readonly role: KeyRole;
  /** Unix ms. */
  readonly createdMs: number;
  /** Unix ms, to the minute; undefined: never. Use of stubs that were issued for the key counts. */
  readonly lastUsedMs: number | undefined;
  /** The tags of the accounts that its requests prefer, or require. */
  readonly tags?: TagDemand | undefined;
  readonly limits?: KeyLimits | undefined;
  /** What it has used; undefined for a key without limits, and if no proxy counts. */
  readonly use?: KeyUse | undefined;
}

/** Changes of a key; null removes a value, and undefined leaves it. */
export interface KeyChanges {
  readonly tags?: TagDemand | null | undefined;
  readonly limits: KeyLimitChanges;
}

export interface KeyOps {
  list(): Promise<readonly KeyInfo[]>;
  /**
   * Creates a key and returns it, only this once. Throws `invalid_request` for a name that is taken, and for a name,
   * tags or limits that are not allowed.
   */
  add(name: string, role: KeyRole, tags?: TagDemand, limits?: KeyLimits): Promise<string>;
  /**
   * Changes a key. What is open with it stays open, and its next turn has the new limits. Throws `not_found`, and
   * `invalid_request` for tags or limits that are not allowed.
   */
  set(name: string, changes: KeyChanges): Promise<void>;
  /** Removes the key and ends everything it gave access to. Throws `not_found`. */
  remove(name: string): Promise<void>;
}

export interface KnownKey {
  /** Unique to this key: a later key with the same name has another id. */
  readonly id: string;
  readonly name: string;
  readonly role: KeyRole;
  readonly tags?: TagDemand | undefined;
  readonly sha256: string;
  readonly limiter: KeyLimiter;
}

export interface Keys extends KeyOps {
  /** The key with this secret; undefined if there is none. */
  find(secret: string): KnownKey | undefined;
  /** The key with this id. */
  withId(id: string): KnownKey | undefined;
  /** Notes that the key with this id, if there is one, was used just now; written to disk later. */
  used(id: string): void;
  /** The keys as they are kept, without their times of last use. */
  entries(): readonly KeptKey[];
  /**
   * Installs the key `name` of another replica, or removes it, and ends what it gave access to. Throws `file_unusable`.
   */
  adopt(name: string, entry: KeptKey | undefined): void;
  /** Writes the times of last use, and what limited keys have used, to disk now. */
  flush(): void;
}

export interface KeysDeps extends Pick<Deps, "clock" | "random" | "log"> {
  /** Called when the key with this id has been removed. */
  readonly removed?: (id: string) => void;
  /**
   * The file that keeps what limited keys have used, and whether the root is this process's; default: it is not kept.
   */
  readonly useFile?: { readonly path: string; readonly isOurs: () => boolean };
  /** What the other replicas of a pool have used of each key's limits; default: there are none. */
  readonly shares?: KeyShares | undefined;
}

/** The keys in the file `path`; no file means none. Throws `file_unusable` for a file that cannot be read. */
export function openKeys(path: string, { clock, random, log, removed, useFile, shares }: KeysDeps): Keys {
  const uses = (): ReadonlyMap<string, KeptUse> =>
    new Map(
      keys.flatMap(({ id, limiter }) => {
        const kept = limiter.kept();
        return kept === undefined ? [] : [[id, kept] as const];
      }),
    );
  const useKept = useFile && openKeyUse({ ...useFile, clock, log, uses });
  const known = (key: KeptKey): OpenKey => {
    const id = keyIdOf(key.sha256);
    const limiter = createKeyLimiter({
      clock,
      limits: limitsOf(key),
      kept: useKept?.of(id),
      keptAgoMs: useKept?.writtenAgoMs,
      counted: () => useKept?.touch(),
      shareOf: shares && ((own) => shares.open(id, own)),
    });
    return { ...key, id, limiter };
  };
  let keys: readonly OpenKey[] = readKeys(path).map(known);
  const lastUsed = new Map<string, number>();
  for (const { id, last_used_ms: ms } of keys) if (ms !== undefined) lastUsed.set(id, ms);
  let isDirty = false;
  const write = (next: readonly OpenKey[]): void => {
    const kept = next.map(({ id, limiter, ...key }) => ({ ...key, ...timeOf(lastUsed.get(id)) }));
    writeFileAtomic(path, keysText(kept));
    keys = next;
    isDirty = false;
  };
  const flushTimes = (): void => {
    if (!isDirty) return;
    try {
      write(keys);
    } catch (error) {
      // The next use tries again; only a time is lost.
      isDirty = false;
      log.warn(`saving when keys were last used: ${messageOf(error)}`);
    }
  };
  const drop = (key: OpenKey): void => {
    write(keys.filter((one) => one !== key));
    forget(key);
  };
  const forget = ({ id }: OpenKey): void => {
    lastUsed.delete(id);
    shares?.close(id);
    removed?.(id);
  };
  const named = (name: string): OpenKey => {
    const key = keys.find((one) => one.name === name);
    if (key !== undefined) return key;
    const names = keys.map((one) => one.name).join(", ");
    throw new CodexlbError("not_found", `there is no key ${name}`, {
      next: names === "" ? `create one with: ${advised("key add", "NAME")}` : `known keys: ${names}`,
    });
  };
  return {
    list: async () =>
      keys.map(({ id, name, role, tags, created_ms, limiter }) => ({
        name,
        role,
        tags,
        createdMs: created_ms,
        lastUsedMs: lastUsed.get(id),
        limits: limiter.limits(),
        use: limiter.use(),
      })),
    add: async (name, role, tags, limits) => {
      if (!NAME.test(name))
        throw new CodexlbError("invalid_request", `invalid key name ${JSON.stringify(name)}`, {
          next: "use 1 to 64 letters, digits and ._- starting with a letter or a digit",
        });
      if (keys.some((key) => key.name === name))
        throw new CodexlbError("invalid_request", `the key ${name} exists already`, {
          next: `choose another name, or remove it with: ${advised("key rm", name)}`,
        });
      refuseTags(name, tags);
      refuseLimits(name, role, limits, clock.now());
      const secret = `${PREFIX}${newSecret(random)}`;
      const kept = { ...(tags && { tags }), ...keptLimits(limits) };
      write([...keys, known({ name, role, ...kept, created_ms: clock.now(), sha256: hashOf(secret) })]);
      return secret;
    },
    set: async (name, { tags, limits: changes }) => {
      const key = named(name);
      refuseTags(name, tags ?? undefined);
      const limits = changedLimits(key.limiter.limits(), changes);
      const { expiresMs, ...others } = limits ?? {};
      // An expired key can be changed, but not to a moment that has passed.
      refuseLimits(name, key.role, changes.expiresMs === undefined ? others : limits, clock.now());
      const { tags: tagsBefore, limits: _, ...rest } = key;
      const tagsNow = tags === undefined ? tagsBefore : (tags ?? undefined);
      const changed: OpenKey = { ...rest, ...(tagsNow && { tags: tagsNow }), ...keptLimits(limits) };
      write(keys.map((one) => (one === key ? changed : one)));
      key.limiter.setLimits(limits);
    },
    remove: async (name) => drop(named(name)),
    entries: () => keys.map(({ id: _id, limiter: _limiter, last_used_ms: _used, ...key }) => key),
    adopt: (name, entry) => {
      const current = keys.find((key) => key.name === name);
      if (entry === undefined) {
        if (current !== undefined) drop(current);
        return;
      }
      if (current?.sha256 === entry.sha256) {
        const { id, limiter } = current;
        write(keys.map((key) => (key === current ? { ...entry, id, limiter } : key)));
        limiter.setLimits(limitsOf(entry));
        return;
      }
      write([...keys.filter((key) => key !== current), known(entry)]);
      if (current !== undefined) forget(current);
    },
    // The hashes are compared, so the time that a comparison takes reveals nothing about the keys.
    find: (secret) => {
      const sha256 = hashOf(secret);
      return keys.find((key) => key.sha256 === sha256);
    },
    withId: (id) => keys.find((key) => key.id === id),
    used: (id) => {
      const minuteMs = clock.now() - (clock.now() % MINUTE_MS);
      if (lastUsed.get(id) === minuteMs || !keys.some((key) => key.id === id)) return;
      lastUsed.set(id, minuteMs);
      if (!isDirty) clock.after(WRITE_BEHIND_MS, flushTimes);
      isDirty = true;
    },
    flush: () => {
      flushTimes();
      useKept?.flush();
    },
  };
}

// --- internal ---

/** Marks a key for people and for scanners that look for leaked secrets. */
const PREFIX = "clb_";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MINUTE_MS = 60_000;
/** How often the file is written at most, however many requests arrive. */
const WRITE_BEHIND_MS = 60_000;

/** A key with its id, which is computed only once because every request compares it, and its limiter. */
type OpenKey = KeptKey & Pick<KnownKey, "id" | "limiter">;

function refuseTags(name: string, tags: TagDemand | undefined): void {
  const problem = tags && tagsProblem(tags.tags);
  if (problem !== undefined)
    throw new CodexlbError("invalid_request", `tags of the key ${name}: ${problem}`, {
      next: "correct the tags",
    });
}

function refuseLimits(name: string, role: KeyRole, limits: KeyLimits | undefined, nowMs: number): void {
  if (limits === undefined) return;
  const { expiresMs, ...ofTurns } = limits;
  const refuse = (problem: string, next: string): never => {
    throw new CodexlbError("invalid_request", `limits of the key ${name}: ${problem}`, { next });
  };
  const problem = limitsProblem(limits);
  if (problem !== undefined) refuse(problem, "correct the limits");
  if (expiresMs !== undefined && expiresMs <= nowMs)
    refuse(
      "the expiry time is in the past",
      `choose a later time; to end its access now, run: ${advised("key rm", name)}`,
    );
  if (role === "metrics" && Object.values(ofTurns).some((limit) => limit !== undefined))
    refuse("a key with the role metrics sends no turns", "set only its expiry (--expires)");
}

function timeOf(ms: number | undefined): Pick<KeptKey, "last_used_ms"> {
  return ms === undefined ? {} : { last_used_ms: ms };
}
