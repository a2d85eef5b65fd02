// Keys for clients that cannot use the credentials of `codexlb run`, and for proxies in front of this one. Only
// their hashes are kept; a key is shown once, when it is made.

import { z } from "zod";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import { hashOf, newSecret } from "./secrets.ts";

/** `client`: may send requests. `parent`: a proxy in front, which may also read the status and pass admin calls on. */
export const KEY_ROLES = ["client", "parent"] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

export interface KeyInfo {
  readonly name: string;
  readonly role: KeyRole;
  /** Unix ms. */
  readonly createdMs: number;
}

export interface KeyOps {
  list(): Promise<readonly KeyInfo[]>;
  /** Makes a key and returns it; it cannot be had again. Throws `invalid_request` for a name that is taken or not allowed. */
  add(name: string, role: KeyRole): Promise<string>;
  /** Throws `not_found`. */
  remove(name: string): Promise<void>;
}

export interface Keys extends KeyOps {
  /** The role of the key `secret`; undefined when there is no such key. */
  roleOf(secret: string): KeyRole | undefined;
}

/** The keys in the file `path`; no file means none. Throws `file_unusable` for a file that cannot be read. */
export function openKeys(path: string, { clock, random }: Pick<Deps, "clock" | "random">): Keys {
  let keys = readKeys(path);
  const save = (next: readonly KeptKey[]): void => {
    writeFileAtomic(path, `${JSON.stringify({ version: 1, keys: next }, undefined, 2)}\n`);
    keys = next;
  };
  return {
    list: async () => keys.map(({ name, role, created_ms }) => ({ name, role, createdMs: created_ms })),
    add: async (name, role) => {
      if (!NAME.test(name))
        throw new CodexlbError("invalid_request", `invalid key name ${JSON.stringify(name)}`, {
          next: "use 1 to 64 letters, digits and ._- starting with a letter or a digit",
        });
      if (keys.some((key) => key.name === name))
        throw new CodexlbError("invalid_request", `there is a key ${name} already`, {
          next: `choose another name, or remove it with: codexlb key rm ${name}`,
        });
      const secret = `${PREFIX}${newSecret(random)}`;
      save([...keys, { name, role, created_ms: clock.now(), sha256: hashOf(secret) }]);
      return secret;
    },
    remove: async (name) => {
      if (!keys.some((key) => key.name === name)) {
        const names = keys.map((key) => key.name).join(", ");
        throw new CodexlbError("not_found", `there is no key ${name}`, {
          next: names === "" ? "there are no keys" : `keys: ${names}`,
        });
      }
      save(keys.filter((key) => key.name !== name));
    },
    // What is compared are hashes: how alike two of them are says nothing about the keys.
    roleOf: (secret) => {
      const sha256 = hashOf(secret);
      return keys.find((key) => key.sha256 === sha256)?.role;
    },
  };
}

// --- internal ---

/** Lets people and scanners for leaked secrets see what it is. */
const PREFIX = "clb_";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const KeptKey = z.object({
  name: z.string(),
  role: z.enum(KEY_ROLES),
  created_ms: z.number(),
  sha256: z.string(),
});
type KeptKey = z.output<typeof KeptKey>;
const KeysFile = z.object({ version: z.literal(1), keys: z.array(KeptKey) });

function readKeys(path: string): readonly KeptKey[] {
  const text = readTextIfPresent(path);
  if (text === undefined) return [];
  try {
    return KeysFile.parse(JSON.parse(text)).keys;
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading ${path}: it is damaged`, {
      next: "restore it, or delete it and make new keys",
      cause: error,
    });
  }
}
