import { expect, test } from "bun:test";
import { carriedSettings } from "../../src/codex/carried-settings.ts";
import { formatToml, parseToml } from "../../src/state/toml.ts";

const carried = (text: string) => {
  const { settings, leftOut } = carriedSettings(parseToml(text), "/own");
  return { settings: structuredClone(parseToml(formatToml(settings))), leftOut };
};

test("carried settings name the same files as in their own home", () => {
  const { settings } = carried(`
model_instructions_file = "rules.md"
experimental_instructions_file = "./old.md"
experimental_compact_prompt_file = "../compact.md"
model_catalog_json = "catalog.json"
js_repl_node_path = "bin/node"
js_repl_node_module_dirs = ["a", "~/b", "/c"]
zsh_path = "zsh"
sqlite_home = "state"
log_dir = "log"
[debug.config_lockfile]
export_dir = "out"
load_path = "lock.toml"
[sandbox_workspace_write]
writable_roots = ["shared", "~", "/tmp"]
[agents.reviewer]
config_file = "agents/reviewer.toml"
[[skills.config]]
path = "skills/a/SKILL.md"
enabled = false
[model_providers.corp.auth]
command = "./token"
cwd = "corp"
[otel]
exporter = { otlp-http = { endpoint = "http://x", tls = { ca-certificate = "ca.pem" } } }
[profiles.work]
model_instructions_file = "work.md"
model_catalog_json = "/abs/catalog.json"
`);
  expect(settings as unknown).toEqual({
    model_instructions_file: "/own/rules.md",
    experimental_instructions_file: "/own/old.md",
    experimental_compact_prompt_file: "/compact.md",
    model_catalog_json: "/own/catalog.json",
    js_repl_node_path: "/own/bin/node",
    js_repl_node_module_dirs: ["/own/a", "~/b", "/c"],
    zsh_path: "/own/zsh",
    sqlite_home: "/own/state",
    log_dir: "/own/log",
    debug: { config_lockfile: { export_dir: "/own/out", load_path: "/own/lock.toml" } },
    sandbox_workspace_write: { writable_roots: ["/own/shared", "~", "/tmp"] },
    agents: { reviewer: { config_file: "/own/agents/reviewer.toml" } },
    skills: { config: [{ path: "/own/skills/a/SKILL.md", enabled: false }] },
    model_providers: { corp: { auth: { command: "./token", cwd: "/own/corp" } } },
    otel: { exporter: { "otlp-http": { endpoint: "http://x", tls: { "ca-certificate": "/own/ca.pem" } } } },
    profiles: { work: { model_instructions_file: "/own/work.md", model_catalog_json: "/abs/catalog.json" } },
  });
});

test("carried settings keep values that are no paths or are relative to the working directory", () => {
  const text = `
notify = ["./notify.sh", "rel"]
model = "a/b"
[mcp_servers.one]
command = "./server"
args = ["rel"]
cwd = "work"
[[hooks.PreToolUse]]
matcher = "x"
[[hooks.PreToolUse.hooks]]
type = "command"
command = "./hook"
[projects."rel/p"]
trust_level = "trusted"
`;
  expect(carried(text)).toEqual({ settings: structuredClone(parseToml(text)), leftOut: [] });
});

test("carried settings omit the keys that would delete another login, also in profiles", () => {
  expect(
    carried(`
model = "m"
forced_login_method = "chatgpt"
cli_auth_credentials_store = "keyring"
forced_chatgpt_workspace_id = ["w1", "w2"]
[profiles.work]
forced_login_method = "api"
model = "n"
`) as unknown,
  ).toEqual({
    settings: { model: "m", profiles: { work: { model: "n" } } },
    leftOut: ["forced_login_method", "forced_chatgpt_workspace_id", "profiles.work.forced_login_method"],
  });
});
