// Codex's auth.json.

import { basename, dirname } from "node:path";
import { objectOf } from "../../core/json.ts";
import type { LoginFormat } from "./format.ts";

export const codexFormat: LoginFormat = {
  program: "Codex",
  where: "auth.json in a Codex home, or a directory with several of them",
  recognise: ({ json }) => {
    const file = objectOf(json);
    return file !== undefined && KEYS.some((key) => key in file);
  },
  read: ({ path, text = "" }) => [
    // Other files of a directory do not belong to the settings there.
    { kind: "login", path, auth: text, ...(basename(path) === "auth.json" ? { home: dirname(path) } : {}) },
  ],
};

// --- internal ---

/** Each Codex login has at least one of them. */
const KEYS = ["auth_mode", "OPENAI_API_KEY", "tokens", "personal_access_token"] as const;
