// Decrypts Fernet tokens (github.com/fernet/spec): AES-128-CBC with an HMAC-SHA256.

import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";

/**
 * Returns a function that decrypts tokens with `key` (base64url), and returns undefined for tokens of another key.
 * Returns undefined itself if `key` is not a key.
 */
export function openFernet(key: string): ((token: string) => string | undefined) | undefined {
  const bytes = Buffer.from(key, "base64url");
  if (bytes.length !== 2 * HALF_BYTES) return undefined;
  const signing = bytes.subarray(0, HALF_BYTES);
  const encryption = bytes.subarray(HALF_BYTES);
  return (token) => {
    const sealed = Buffer.from(token, "base64url");
    if (sealed.length < HEAD_BYTES + MAC_BYTES || sealed[0] !== VERSION) return undefined;
    const signed = sealed.subarray(0, -MAC_BYTES);
    const mac = createHmac("sha256", signing).update(signed).digest();
    if (!timingSafeEqual(mac, sealed.subarray(-MAC_BYTES))) return undefined;
    const decipher = createDecipheriv("aes-128-cbc", encryption, signed.subarray(TIME_END, HEAD_BYTES));
    return Buffer.concat([decipher.update(signed.subarray(HEAD_BYTES)), decipher.final()]).toString();
  };
}

// --- internal ---

/** Half of a key signs, the other half encrypts. */
const HALF_BYTES = 16;
const VERSION = 0x80;
/** After the version and the time comes the initialization vector. */
const TIME_END = 9;
const HEAD_BYTES = TIME_END + 16;
const MAC_BYTES = 32;
