// Time-based one-time passwords (RFC 6238: HMAC-SHA1, six digits, thirty seconds), as authenticator apps make them.

import { createHmac } from "node:crypto";
import { CodexlbError } from "../errors.ts";

/**
 * The code of `secret` at `nowMs`. The secret is base32 (spaces and case are ignored) or an otpauth address. Throws
 * `usage` for an invalid secret.
 */
export function totpCode(secret: string, nowMs: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / PERIOD_MS)));
  const digest = createHmac("sha1", bytesOf(secret)).update(counter).digest();
  // RFC 4226, 5.3: four bytes at the offset in the last half byte, without the sign bit.
  const offset = (digest.at(-1) ?? 0) & 0xf;
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, "0");
}

// --- internal ---

const PERIOD_MS = 30_000;
const DIGITS = 6;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The base32 secret in `text`, which may be the otpauth address of a QR code. */
function plainSecret(text: string): string {
  if (!/^otpauth:\/\//i.test(text)) return text;
  const asked = new URL(text).searchParams;
  const isPlain =
    /^otpauth:\/\/totp\//i.test(text) &&
    (asked.get("algorithm") ?? "SHA1").toUpperCase() === "SHA1" &&
    (asked.get("digits") ?? "6") === String(DIGITS) &&
    (asked.get("period") ?? "30") === String(PERIOD_MS / 1000);
  if (isPlain) return asked.get("secret") ?? "";
  throw new CodexlbError(
    "usage",
    "the otpauth address requests codes other than six digits every 30 seconds",
    {
      next: "codexlb does not support such codes; use --headed and enter the code by hand",
    },
  );
}

function bytesOf(secret: string): Buffer {
  const text = plainSecret(secret.trim()).replace(/[\s-]/g, "").replace(/=+$/, "").toUpperCase();
  const digits = [...text].map((letter) => ALPHABET.indexOf(letter));
  if (digits.length === 0 || digits.includes(-1))
    throw new CodexlbError("usage", "the TOTP secret is not base32", {
      next: "give the secret that the authenticator app was set up with (letters, and digits from 2 to 7)",
    });
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}
