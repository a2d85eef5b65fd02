// Prepares the settings of one Codex home for use in another: paths keep their targets, and settings that would reject
// the other home's login are left out.

import { resolve } from "node:path";
import { formatToml, parseToml, type TomlTable } from "../state/toml.ts";

/** The settings to carry over, and the names of those left out. */
export interface CarriedSettings {
  readonly settings: TomlTable;
  /** As dotted names: `forced_login_method`, `profiles.work.forced_login_method`. */
  readonly leftOut: readonly string[];
}

/**
 * Prepares settings from a config.toml (or a profile's file) in the directory `home` for use in another directory.
 * Never throws: settings that Codex itself would refuse are carried over unchanged.
 */
export function carriedSettings(settings: TomlTable, home: string): CarriedSettings {
  const leftOut: string[] = [];
  const without = (table: TomlTable, prefix: string): TomlTable =>
    Object.fromEntries(
      Object.entries(table).filter(([key]) => {
        if (key === STORE_KEY) return false;
        if (!REFUSING_KEYS.has(key)) return true;
        leftOut.push(`${prefix}${key}`);
        return false;
      }),
    );
  const own = without(settings, "");
  const { profiles } = own;
  if (isTable(profiles))
    own.profiles = Object.fromEntries(
      Object.entries(profiles).map(([name, profile]) => [
        name,
        isTable(profile) ? without(profile, `profiles.${name}.`) : profile,
      ]),
    );
  return { settings: withAbsolutePaths(own, home), leftOut };
}

/** As `carriedSettings`, but only for the paths in a file's text. Invalid TOML is returned unchanged. */
export function textWithAbsolutePaths(text: string, home: string): string {
  let settings: TomlTable;
  try {
    settings = parseToml(text);
  } catch {
    return text; // the command that uses the settings reports the error
  }
  const absolute = withAbsolutePaths(settings, home);
  return formatToml(absolute) === formatToml(settings) ? text : formatToml(absolute);
}

/** True for a table of TOML, not for a list or a date. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

// --- internal ---

/** Makes relative paths in `settings` absolute against `home`, the directory of their file. */
function withAbsolutePaths(settings: TomlTable, home: string): TomlTable {
  return PATH_KEYS.reduce<Value>((value, key) => atKey(value, key.split("."), home), settings) as TomlTable;
}

type Value = TomlTable[string];

/** Codex deletes logins that these settings do not allow, such as the stub of `codexlb run`. */
const REFUSING_KEYS: ReadonlySet<string> = new Set(["forced_chatgpt_workspace_id", "forced_login_method"]);

/** With a keyring setting Codex would not find the other home's login. By default it reads the file. */
const STORE_KEY = "cli_auth_credentials_store";

/** Applies to config.toml and each of its profiles. */
const PROFILE_PATH_KEYS = [
  "model_instructions_file",
  "experimental_instructions_file",
  "experimental_compact_prompt_file",
  "model_catalog_json",
  "js_repl_node_path",
  "js_repl_node_module_dirs.*",
  "zsh_path",
] as const;

/**
 * The keys that Codex 0.171 (`config/read` of its app-server) or an older version resolves against the directory of the
 * file; `*` stands for every name in a table or every entry of a list. Other paths are relative to the working
 * directory (`mcp_servers.*.cwd`, commands), so they must stay as they are.
 */
const PATH_KEYS: readonly string[] = [
  ...PROFILE_PATH_KEYS,
  ...PROFILE_PATH_KEYS.map((key) => `profiles.*.${key}`),
  "sqlite_home",
  "log_dir",
  "agents.*.config_file",
  "debug.config_lockfile.export_dir",
  "debug.config_lockfile.load_path",
  "model_providers.*.auth.cwd",
  ...["exporter", "trace_exporter", "metrics_exporter"].flatMap((exporter) =>
    ["ca-certificate", "client-certificate", "client-private-key"].map(
      (file) => `otel.${exporter}.*.tls.${file}`,
    ),
  ),
  "sandbox_workspace_write.writable_roots.*",
  "skills.config.*.path",
];

/** Makes the paths at `key` in `value` absolute. */
function atKey(value: Value, key: readonly string[], home: string): Value {
  const [name, ...rest] = key;
  if (name === undefined) return typeof value === "string" ? absolutePath(value, home) : value;
  if (Array.isArray(value))
    return (name === "*" ? value.map((entry) => atKey(entry as Value, rest, home)) : value) as Value;
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([inner, entry]) => [
      inner,
      name === "*" || name === inner ? atKey(entry, rest, home) : entry,
    ]),
  );
}

/** Codex itself replaces a leading `~` by the user's home directory. */
function absolutePath(path: string, home: string): string {
  const isFromHome = path === "~" || path.startsWith("~/");
  return path === "" || isFromHome ? path : resolve(home, path);
}
