// Encrypts the facts of a pool, so that the engine and its backups are worth nothing without the key. The names of
// facts are hidden as well, because an alias may be an e-mail address.

import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import type { Deps } from "../deps.ts";
import { shortLine } from "../printable.ts";

/** A fact of the pool: `value` is its text, null after its removal. */
export interface Fact {
  readonly name: string;
  readonly value: string | null;
  /**
   * The name of the replica on which an operator made the change. Undefined if no operator made it, if the name is no
   * longer known, or if an older version of codexlb sent it.
   */
  readonly by?: string | undefined;
}

/**
 * What a sealed text contains. `newer`: a later version of codexlb sealed it. `foreign`: it was sealed with another
 * key, for another pool, name or generation, or was changed.
 */
export type Opened =
  | { readonly kind: "fact"; readonly fact: Fact }
  | { readonly kind: "newer" }
  | { readonly kind: "foreign" };

export interface Sealer {
  /** The name of a fact in the engine: always the same, and unreadable without the key. */
  tagOf(name: string): string;
  /** Seals a fact as `generation` of it. */
  seal(fact: Fact, generation: number): string;
  /** Opens what the engine has under `tag` as `generation`. */
  open(tag: string, generation: number, sealed: string): Opened;
  /** Names the key without revealing it. */
  readonly keyId: string;
}

/** A hash by which two values can be compared without keeping them. The same under every key of a pool. */
export function markOf(value: string): string {
  return createHash("sha256").update(value).digest("hex").slice(0, HASH_CHARS);
}

/** `key`: the pool's 32 bytes. `pool`: its name, so that a record of one pool cannot be moved to another. */
export function createSealer(key: Uint8Array, pool: string, random: Deps["random"]): Sealer {
  const derived = (purpose: string) =>
    Buffer.from(hkdfSync("sha256", key, pool, `codexlb cluster ${purpose}`, KEY_BYTES));
  const sealing = derived("seal");
  const naming = derived("name");
  const hmac = (by: Buffer, text: string) =>
    createHmac("sha256", by).update(text).digest("hex").slice(0, HASH_CHARS);
  const tagOf = (name: string) => hmac(naming, name);
  const bound = (tag: string, generation: number) => Buffer.from(`${pool}\n${tag}\n${generation}`);
  return {
    tagOf,
    keyId: derived("id").toString("hex").slice(0, HASH_CHARS),
    seal: (fact, generation) => {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, sealing, nonce);
      cipher.setAAD(bound(tagOf(fact.name), generation));
      const text = Buffer.concat([cipher.update(JSON.stringify(fact), "utf8"), cipher.final()]);
      return `${VERSION}.${Buffer.concat([nonce, text, cipher.getAuthTag()]).toString("base64")}`;
    },
    open: (tag, generation, sealed) => {
      const [version, body = ""] = sealed.split(".", 2);
      if (version !== VERSION) return { kind: /^\d+$/.test(version ?? "") ? "newer" : "foreign" };
      const bytes = Buffer.from(body, "base64");
      if (bytes.length < NONCE_BYTES + AUTH_TAG_BYTES) return { kind: "foreign" };
      try {
        const decipher = createDecipheriv(CIPHER, sealing, bytes.subarray(0, NONCE_BYTES));
        decipher.setAAD(bound(tag, generation));
        decipher.setAuthTag(bytes.subarray(-AUTH_TAG_BYTES));
        const text = decipher.update(bytes.subarray(NONCE_BYTES, -AUTH_TAG_BYTES));
        const { by, ...fact } = JSON.parse(Buffer.concat([text, decipher.final()]).toString("utf8")) as Fact;
        if (tagOf(fact.name) !== tag) return { kind: "foreign" };
        // The name is shown to people, and comes from another replica.
        const named = typeof by === "string" ? { by: shortLine(by, LONGEST_NAME) } : {};
        return { kind: "fact", fact: { ...fact, ...named } };
      } catch {
        return { kind: "foreign" };
      }
    },
  };
}

// --- internal ---

/** The version of sealed texts. An older codexlb leaves a newer one unchanged. */
const VERSION = "1";
/** The part of a replica's name that is shown, in UTF-16 units. */
const LONGEST_NAME = 64;
const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const HASH_CHARS = 32;
/** Random nonces of this length are safe for four thousand million records under one key. */
const NONCE_BYTES = 12;
const AUTH_TAG_BYTES = 16;
