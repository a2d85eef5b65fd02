// Secrets of this root: made once from random bytes, readable for the owner only.

import { createHash, timingSafeEqual } from "node:crypto";
import { dirname } from "node:path";
import type { Deps } from "../deps.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";

/** Shorter than this is no secret that we made: it was cut or typed. */
const SHORTEST = 32;

/** The secret in the file `path`, which is made when there is none. Throws `file_unusable`. */
export function secretFile(path: string, random: Deps["random"]): string {
  const kept = readSecret(path);
  if (kept !== undefined) return kept;
  const secret = newSecret(random);
  makePrivateDirectory(dirname(path));
  writeFileAtomic(path, `${secret}\n`);
  return secret;
}

/** The secret in the file `path`, if it holds one. */
export function readSecret(path: string): string | undefined {
  const kept = readTextIfPresent(path)?.trim();
  return kept !== undefined && kept.length >= SHORTEST ? kept : undefined;
}

/** 256 random bits as text. */
export function newSecret(random: Deps["random"]): string {
  return Buffer.from(random(32)).toString("base64url");
}

/** SHA-256 in hex: enough to keep for secrets that are random themselves. */
export function hashOf(secret: string | Uint8Array): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Whether two secrets are equal, in a time that does not depend on how much of them is. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(a), "hex"), Buffer.from(hashOf(b), "hex"));
}
