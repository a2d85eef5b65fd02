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
    if (HARMLESS_KEYS.get(key)?.(value)) taken[key] = value;
    else leftOut.push(key);
  return { config: Object.keys(taken).length === 0 ? undefined : formatToml(taken), leftOut };
}

// --- internal ---

type Kind = (value: TomlTable[string]) => boolean;

const number: Kind = (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const truth: Kind = (value) => typeof value === "boolean";
/** A model's name, which cannot be a path, an address or a sentence. */
const name: Kind = (value) => typeof value === "string" && /^[\w.:-]{1,100}$/.test(value);
/** One of the words that Codex 0.171 knows. It does not start with another one. */
const oneOf =
  (...words: readonly string[]): Kind =>
  (value) =>
    words.includes(value as string);

/** A subset of the keys that Codex 0.171 reads, and what their values have to be. */
const HARMLESS_KEYS: ReadonlyMap<string, Kind> = new Map([
  ["model", name],
  ["review_model", name],
  ["model_context_window", number],
  ["model_auto_compact_token_limit", number],
  ["model_reasoning_effort", name],
  ["plan_mode_reasoning_effort", name],
  ["model_reasoning_summary", oneOf("auto", "concise", "detailed", "none")],
  ["model_verbosity", oneOf("low", "medium", "high")],
  ["personality", oneOf("none", "friendly", "pragmatic")],
  ["service_tier", name],
  ["tool_output_token_limit", number],
  ["hide_agent_reasoning", truth],
  ["show_raw_agent_reasoning", truth],
]);

function parsed(config: string): TomlTable {
  try {
    return parseToml(config);
  } catch (error) {
    throw new CodexlbError("invalid_request", `the imported config is not valid TOML: ${messageOf(error)}`, {
      next: "correct the config.toml, or import without it",
    });
  }
}
