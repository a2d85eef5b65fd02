// Time-based one-time passwords (RFC 6238: HMAC-SHA1, six digits, thirty seconds), as authenticator apps make them.

import { createHmac } from "node:crypto";
import { CodexlbError } from "../errors.ts";

/** The code of `secret` (base32, spaces and case do not matter, or an otpauth address) at `nowMs`. Throws `usage` for what is no secret. */
export function totpCode(secret: string, nowMs: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / PERIOD_MS)));
  const digest = createHmac("sha1", bytesOf(secret)).update(counter).digest();
  // RFC 4226, 5.3: four bytes from where the last half byte says, without the sign bit.
  const offset = (digest.at(-1) ?? 0) & 0xf;
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, "0");
}

// --- internal ---

const PERIOD_MS = 30_000;
const DIGITS = 6;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** What a QR code holds is the address that an authenticator app is set up with; ours is its plain form. */
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
    "the otpauth address asks for other codes than six digits every 30 seconds",
    {
      next: "such codes are not supported; finish the sign-in by hand",
    },
  );
}

function bytesOf(secret: string): Buffer {
  const text = plainSecret(secret.trim()).replace(/[\s-]/g, "").replace(/=+$/, "").toUpperCase();
  const digits = [...text].map((letter) => ALPHABET.indexOf(letter));
  if (digits.length === 0 || digits.includes(-1))
    throw new CodexlbError("usage", "the TOTP secret is not base32", {
      next: "give the secret that the authenticator app was set up with, letters and the digits 2 to 7",
    });
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}
