// The file of a root's keys, ROOT/keys.json. It has the hash of each key, never the key. Fields of newer versions are
// kept.

import { z } from "zod";
import { advised } from "../advice.ts";
import type { KeyLimits } from "../core/key-limits.ts";
import { CodexlbError } from "../errors.ts";
import { readTextIfPresent } from "../state/atomic-file.ts";

/**
 * `client`: can send requests. `parent`: a proxy in front, which can also read the status and relay admin calls.
 * `metrics`: a monitoring program, which can only read the metrics.
 */
export const KEY_ROLES = ["client", "parent", "metrics"] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

const KeptLimits = z.looseObject({
  expires_ms: z.number().optional(),
  rpm: z.number().optional(),
  tokens_per_day: z.number().optional(),
  models: z.array(z.string()).readonly().optional(),
});

/** One key in the file. */
export const KeptKey = z.looseObject({
  name: z.string(),
  role: z.enum(KEY_ROLES),
  tags: z.object({ tags: z.array(z.string()).readonly(), only: z.boolean() }).optional(),
  limits: KeptLimits.optional(),
  created_ms: z.number(),
  sha256: z.string(),
  last_used_ms: z.number().optional(),
});
export type KeptKey = z.output<typeof KeptKey>;

const KeysFile = z.object({ version: z.literal(1), keys: z.array(KeptKey) });

/** The keys in the file `path`; no file means none. Throws `file_unusable`. */
export function readKeys(path: string): readonly KeptKey[] {
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

/** The text of the file with `keys`. */
export function keysText(keys: readonly KeptKey[]): string {
  return `${JSON.stringify({ version: 1, keys }, undefined, 2)}\n`;
}

/** The limits of a key in the file. */
export function limitsOf({ limits }: Pick<KeptKey, "limits">): KeyLimits | undefined {
  if (limits === undefined) return undefined;
  const { expires_ms, rpm, tokens_per_day, models } = limits;
  return { expiresMs: expires_ms, turnsPerMinute: rpm, tokensPerDay: tokens_per_day, models };
}

/** `limits` as they are written to the file. */
export function keptLimits(limits: KeyLimits | undefined): Pick<KeptKey, "limits"> {
  if (limits === undefined) return {};
  const { expiresMs, turnsPerMinute, tokensPerDay, models } = limits;
  return { limits: { expires_ms: expiresMs, rpm: turnsPerMinute, tokens_per_day: tokensPerDay, models } };
}
