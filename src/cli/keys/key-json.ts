// A key in the JSON output of `codexlb key`.

import type { KeyInfo } from "../../auth/keys.ts";
import { keyFields } from "../../core/key-limit-fields.ts";
import { lastUseOf } from "./key-words.ts";

export function keyJson(key: KeyInfo) {
  const { name, role, tags, createdMs, lastUsedMs: _, ...limited } = key;
  return {
    name,
    role,
    ...tags,
    created_at_ms: createdMs,
    last_used_at_ms: lastUseOf(key) ?? null,
    ...keyFields(limited),
  };
}
