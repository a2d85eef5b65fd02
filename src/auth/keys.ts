// Keys for clients that cannot use the credentials of `codexlb run`, and for proxies in front of this one. Only their
// hashes are stored; a key is shown once, when it is created.

import { z } from "zod";
import { advised } from "../advice.ts";
import { tagsProblem } from "../core/account-options.ts";
import type { TagDemand } from "../core/account-tags.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import { keyIdOf } from "./proof.ts";
import { hashOf, newSecret } from "./secrets.ts";

/**
 * `client`: can send requests. `parent`: a proxy in front, which can also read the status and relay admin calls.
 * `metrics`: a monitoring program, which can only read the metrics.
 */
export const KEY_ROLES = ["client", "parent", "metrics"] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

export interface KeyInfo {
  readonly name: string;
  readonly role: KeyRole;
  /** Unix ms. */
  readonly createdMs: number;
  /** Unix ms, to the minute; undefined: never. Use of stubs that were issued for the key counts. */
  readonly lastUsedMs: number | undefined;
  /** The tags of the accounts that its requests prefer, or require. */
  readonly tags?: TagDemand | undefined;
}

export interface KeyOps {
  list(): Promise<readonly KeyInfo[]>;
  /**
   * Creates a key and returns it, only this once. Throws `invalid_request` for a name that is taken, and for a name or
   * tags that are not allowed.
   */
  add(name: string, role: KeyRole, tags?: TagDemand): Promise<string>;
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
}

export interface Keys extends KeyOps {
  /** The key with this secret; undefined if there is none. */
  find(secret: string): KnownKey | undefined;
  /** The key with this id. */
  withId(id: string): KnownKey | undefined;
  /** Notes that the key with this id, if there is one, was used just now; written to disk later. */
  used(id: string): void;
  /** Writes the times of last use to disk now. */
  flush(): void;
}

export interface KeysDeps extends Pick<Deps, "clock" | "random" | "log"> {
  /** Called when the key with this id has been removed. */
  readonly removed?: (id: string) => void;
}

/** The keys in the file `path`; no file means none. Throws `file_unusable` for a file that cannot be read. */
export function openKeys(path: string, { clock, random, log, removed }: KeysDeps): Keys {
  let keys: readonly OpenKey[] = readKeys(path).map(known);
  const lastUsed = new Map<string, number>();
  for (const { id, last_used_ms: ms } of keys) if (ms !== undefined) lastUsed.set(id, ms);
  let isDirty = false;
  const write = (next: readonly OpenKey[]): void => {
    const kept = next.map(({ id, ...key }) => ({ ...key, ...timeOf(lastUsed.get(id)) }));
    writeFileAtomic(path, `${JSON.stringify({ version: 1, keys: kept }, undefined, 2)}\n`);
    keys = next;
    isDirty = false;
  };
  const flush = (): void => {
    if (!isDirty) return;
    try {
      write(keys);
    } catch (error) {
      // The next use tries again; only a time is lost.
      isDirty = false;
      log.warn(`saving when keys were last used: ${messageOf(error)}`);
    }
  };
  return {
    list: async () =>
      keys.map(({ id, name, role, tags, created_ms }) => ({
        name,
        role,
        tags,
        createdMs: created_ms,
        lastUsedMs: lastUsed.get(id),
      })),
    add: async (name, role, tags) => {
      if (!NAME.test(name))
        throw new CodexlbError("invalid_request", `invalid key name ${JSON.stringify(name)}`, {
          next: "use 1 to 64 letters, digits and ._- starting with a letter or a digit",
        });
      if (keys.some((key) => key.name === name))
        throw new CodexlbError("invalid_request", `the key ${name} exists already`, {
          next: `choose another name, or remove it with: ${advised("key rm", name)}`,
        });
      const problem = tags && tagsProblem(tags.tags);
      if (problem !== undefined)
        throw new CodexlbError("invalid_request", `tags of the key ${name}: ${problem}`, {
          next: "correct the tags",
        });
      const secret = `${PREFIX}${newSecret(random)}`;
      write([
        ...keys,
        known({ name, role, ...(tags && { tags }), created_ms: clock.now(), sha256: hashOf(secret) }),
      ]);
      return secret;
    },
    remove: async (name) => {
      const removedKey = keys.find((key) => key.name === name);
      if (removedKey === undefined) {
        const names = keys.map((key) => key.name).join(", ");
        throw new CodexlbError("not_found", `there is no key ${name}`, {
          next: names === "" ? `create one with: ${advised("key add", "NAME")}` : `known keys: ${names}`,
        });
      }
      write(keys.filter((key) => key !== removedKey));
      lastUsed.delete(removedKey.id);
      removed?.(removedKey.id);
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
      if (!isDirty) clock.after(WRITE_BEHIND_MS, flush);
      isDirty = true;
    },
    flush,
  };
}

// --- internal ---

/** Marks a key for people and for scanners that look for leaked secrets. */
const PREFIX = "clb_";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MINUTE_MS = 60_000;
/** How often the file is written at most, however many requests arrive. */
const WRITE_BEHIND_MS = 60_000;

const KeptKey = z.object({
  name: z.string(),
  role: z.enum(KEY_ROLES),
  tags: z.object({ tags: z.array(z.string()).readonly(), only: z.boolean() }).optional(),
  created_ms: z.number(),
  sha256: z.string(),
  last_used_ms: z.number().optional(),
});
type KeptKey = z.output<typeof KeptKey>;
const KeysFile = z.object({ version: z.literal(1), keys: z.array(KeptKey) });

/** A key with its id, which is computed only once because every request compares it. */
type OpenKey = KeptKey & Pick<KnownKey, "id">;

function known(key: KeptKey): OpenKey {
  return { ...key, id: keyIdOf(key.sha256) };
}

function timeOf(ms: number | undefined): Pick<KeptKey, "last_used_ms"> {
  return ms === undefined ? {} : { last_used_ms: ms };
}

function readKeys(path: string): readonly KeptKey[] {
  const text = readTextIfPresent(path);
  if (text === undefined) return [];
  try {
    return KeysFile.parse(JSON.parse(text)).keys;
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading ${path}: the file is damaged`, {
      next: `restore the file from a backup, or delete it and create new keys with: ${advised("key add", "NAME")}`,
      cause: error,
    });
  }
}
