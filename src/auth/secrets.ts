// The secrets of a root: created once from random bytes, readable only by the owner.

import { createHash, timingSafeEqual } from "node:crypto";
import { dirname } from "node:path";
import type { Deps } from "../deps.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";

/** A shorter secret was truncated or typed, so codexlb did not create it. */
const SHORTEST = 32;

/** The secret in the file `path`, which is created if it is missing. Throws `file_unusable`. */
export function secretFile(path: string, random: Deps["random"]): string {
  const kept = readSecret(path);
  if (kept !== undefined) return kept;
  const secret = newSecret(random);
  makePrivateDirectory(dirname(path));
  writeFileAtomic(path, `${secret}\n`);
  return secret;
}

/** The secret in the file `path`; undefined if it contains none. */
export function readSecret(path: string): string | undefined {
  const kept = readTextIfPresent(path)?.trim();
  return kept !== undefined && kept.length >= SHORTEST ? kept : undefined;
}

/** 256 random bits as text. */
export function newSecret(random: Deps["random"]): string {
  return Buffer.from(random(32)).toString("base64url");
}

/** SHA-256 in hex. That suffices for secrets that are random themselves. */
export function hashOf(secret: string | Uint8Array): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** True if two secrets are equal. The time that this takes does not depend on how similar they are. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(a), "hex"), Buffer.from(hashOf(b), "hex"));
}
