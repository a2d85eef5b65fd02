// A key in the JSON output of `codexlb key`.

import type { KeyInfo } from "../../auth/keys.ts";
import { keyFields } from "../../core/key-limit-fields.ts";

export function keyJson({ name, role, tags, createdMs, lastUsedMs, ...limited }: KeyInfo) {
  return {
    name,
    role,
    ...tags,
    created_at_ms: createdMs,
    last_used_at_ms: lastUsedMs ?? null,
    ...keyFields(limited),
  };
}
