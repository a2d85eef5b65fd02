// Decides which Codex settings are accepted from another machine. `codexlb run` builds Codex's home from an imported
// config.toml, which can start programs (mcp_servers, notify, hooks), send turns and logins to other addresses
// (model_provider, *_base_url), loosen the sandbox, inject instructions for the model and read files. So only keys are
// accepted that choose among the account's own options, and only with values that cannot be anything else.

import { CodexlbError, messageOf } from "../errors.ts";
import { formatToml, parseToml, type TomlTable } from "../state/toml.ts";

export interface NetworkSettings {
  /** The accepted settings as the text of a config.toml; undefined if there are none. */
  readonly config: string | undefined;
  /** The top-level keys that were left out. */
  readonly leftOut: readonly string[];
}

/** The accepted part of `config`, the text of a config.toml. Throws `invalid_request` if it is not valid TOML. */
export function networkSettings(config: string): NetworkSettings {
  const all = parsed(config);
  const taken: TomlTable = {};
  const leftOut: string[] = [];
  for (const [key, value] of Object.entries(all))
    if (HARMLESS_KEYS.has(key) && isPlain(value)) taken[key] = value;
    else leftOut.push(key);
  return { config: Object.keys(taken).length === 0 ? undefined : formatToml(taken), leftOut };
}

// --- internal ---

/** A subset of the keys that Codex 0.171 reads. */
const HARMLESS_KEYS: ReadonlySet<string> = new Set([
  "model",
  "review_model",
  "model_context_window",
  "model_auto_compact_token_limit",
  "model_reasoning_effort",
  "plan_mode_reasoning_effort",
  "model_reasoning_summary",
  "model_verbosity",
  "personality",
  "service_tier",
  "tool_output_token_limit",
  "hide_agent_reasoning",
  "show_raw_agent_reasoning",
]);

/** True for a name, a number or a choice, which cannot be a path, an address or a sentence. */
function isPlain(value: TomlTable[string]): value is string | number | boolean {
  if (typeof value === "string") return /^[\w.:-]{1,100}$/.test(value);
  return typeof value === "boolean" || (typeof value === "number" && Number.isSafeInteger(value));
}

function parsed(config: string): TomlTable {
  try {
    return parseToml(config);
  } catch (error) {
    throw new CodexlbError("invalid_request", `the imported config is not valid TOML: ${messageOf(error)}`, {
      next: "correct the config.toml, or import without it",
    });
  }
}
