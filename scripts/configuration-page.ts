// Generates docs/configuration.md from the table of settings.

import { tomlValue } from "../src/state/config-text.ts";
import { SETTINGS } from "../src/state/settings.ts";
import { markdownTable } from "./markdown-table.ts";

export function configurationPage(): string {
  const rows = SETTINGS.map(({ key, defaultValue, description, restart }) => [
    `\`${key}\``,
    defaultValue === "" ? "" : `\`${tomlValue(defaultValue)}\``,
    `${description}${restart ? " A change needs a restart." : ""}`,
  ]);
  return `${HEAD}\n${markdownTable([["setting", "default", "meaning"], ...rows])}${tail()}`;
}

const HEAD = `# Configuration

Settings are in \`ROOT/config.toml\`. ROOT is the value of \`--root\`, of \`CODEXLB_ROOT\`, or \`~/.codex-lb\`. The first
start writes the file with a comment for every key. Every key is optional. codexlb never changes your comments, the order
of the keys or keys that it does not know; it only adds a missing \`proxy.name\`.
`;

const tail = (): string => `
An empty text, or a number that is not greater than 0, means the default. 0 is a valid value only for
\`policy.delta_percent\`, \`policy.weights\` (a negative weight counts as 0) and \`proxy.retry_budget_percent\`.
\`run.proxy_url\` is the older name of \`proxy.proxy_url\`; codexlb reads it if \`proxy.proxy_url\` is missing.

## Precedence

A flag of \`codexlb proxy\` overrides the environment, the environment overrides the file, and the file overrides the
default. \`codexlb config show\` prints every setting with its value and its source; if a proxy runs, those of the proxy.

Commands connect to the proxy that a flag or \`CODEXLB_PROXY_URL\` names, else to \`proxy.proxy_url\`, else to the proxy
that runs on their root, else to the address in \`proxy.listen\`.

${markdownTable([
  ["environment", "setting"],
  ["`CODEXLB_PROXY_NAME`", "`proxy.name`"],
  ["`CODEXLB_PROXY_URL`", "`proxy.proxy_url`"],
  ["`CODEXLB_CHILD_PROXY_URLS`", "`proxy.child_proxy_urls`, separated by commas or white space"],
  ["`CODEXLB_UPSTREAM`", "`proxy.upstream_base_url`"],
  [
    "`CODEXLB_CONTAINER_LISTEN`",
    "`proxy.listen`, if that is a loopback address; for containers ([docker.md](docker.md))",
  ],
  ["`CODEXLB_ALLOW_UNAUTHENTICATED=1`", "`proxy.allow_unauthenticated`"],
])}
## Changes while the proxy runs

The proxy checks the file every second. It applies a valid change immediately, and logs which settings changed.
\`proxy.listen\` takes effect only after a restart, which the proxy also logs.

If the file is empty, missing or not valid TOML, or if a value is wrong, the proxy keeps the last valid settings. It
reports the line, the key and the reason once, on standard error and as the event \`config.reload_failed\`. It warns once
about unknown keys.

\`codexlb config check\` checks the file, and exits with 1 if the file is not valid. Meanwhile other commands use the
settings of the running proxy, and warn about the file.

[networks.md](networks.md) describes the variables for an HTTP proxy and for certificates.

## Codex's own settings

\`codexlb run\` gives Codex its own home with stub credentials, sessions, history and a config.toml. The home is
\`ROOT/runtime\`, or the directory that \`--codex-home\` names. Each run copies settings from the first config.toml that
exists: in the home of the account that served last, in \`CODEX_HOME\`, or in \`~/.codex\`. Later changes in the home
itself (by \`codexlb run mcp add ...\`, in Codex's menus, by hand) take precedence. Comments are not copied.

- Relative paths in these settings (\`model_instructions_file\`, \`agents.NAME.config_file\`, ...) become absolute, so they
  still name the same files.
- Profiles (\`NAME.config.toml\`, for \`--profile NAME\`) are copied in the same way, without base URLs. The \`themes\`
  directory (for \`tui.theme\`) is linked.
- \`forced_login_method\` and \`forced_chatgpt_workspace_id\` are not copied, because with them Codex would delete the stub
  login. \`codexlb run\` reports that once.

Nothing else is copied. To use the \`AGENTS.md\`, prompts and skills of your own home, run \`codexlb run --native-home\`,
which uses that home directly. \`codexlb run\` refuses a \`--codex-home\` that contains a login or settings that codexlb
did not write.

With \`run.inherit_shell\` your shell's profile runs first. Codex gets its variables, working directory and umask, but not
its limits (\`ulimit\`). Variables that \`codexlb run\` itself sets, such as \`CODEX_HOME\`, take precedence. The profile's
output goes to the terminal, or to standard error if standard output is not a terminal. The profile can read standard
input only if that is a terminal; otherwise the input is for Codex.

## Listening for other machines

A proxy that listens on any address but loopback starts only if one of two settings controls access to it:

- \`proxy.client_auth = true\`: clients must send a key (\`codexlb key add NAME\`), or the credentials that \`codexlb run\`
  gives to Codex. On another machine: \`CODEXLB_CLIENT_KEY=KEY codexlb run --proxy-url http://host:8765\`.
  On the proxy's own machine \`codexlb run\` with the same root needs no key. For its connectors Codex sends no
  credentials. These requests are admitted by a key in the path of \`chatgpt_base_url\`, which only the config.toml of
  Codex's home contains.
- \`proxy.allow_unauthenticated = true\`: every client that reaches the port can use the accounts.

The host names that clients use for the proxy must be its own addresses or be listed in \`proxy.allowed_hosts\`.

## Which paths are forwarded

An account's login gives access to everything that its owner can do on the website. Clients reach only the paths that
Codex uses. For any other path the proxy returns 403 \`path_refused\` and logs \`request.refused\` with the first segment of
the path (at most ten lines a minute). \`codexlb doctor\` lists the paths that were refused in the last 24 hours. If one of
your clients needs such a path, add its first segment:

\`\`\`toml
[proxy]
allowed_paths = ["conversations"]
\`\`\`

\`["*"]\` allows every path.

Endpoints of other APIs, such as \`/v1/messages\`, \`/v1/embeddings\` and \`/v1/chat/completions\`, do not exist on the
backend. The proxy returns 404 \`unsupported_endpoint\` with a message that lists what it serves. A setting such as
\`allowed_paths = ["v1"]\` forwards them anyway.
`;
