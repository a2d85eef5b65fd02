// Generates docs/configuration.md from the table of settings.

import { LARGEST_CONCURRENCY } from "../src/core/account-options.ts";
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

Read this to look up or change a setting. Settings are in \`ROOT/config.toml\` (ROOT: \`--root\`, else \`CODEXLB_ROOT\`, else
\`~/.codex-lb\`); \`codexlb config show\` prints each with its value and source.

\`\`\`toml
[proxy]
name = "laptop"
[policy]
mode = "reset_aware"
\`\`\`

The first start writes the file with a comment for every key. Every key is optional. The file is yours: codexlb never
changes comments, order or unknown keys. The one thing it adds is \`proxy.name\`: if that is missing or empty, the next
proxy that starts writes a name and reports it.
`;

const tail = (): string => `
Zero and empty strings mean the default; negative numbers are refused, except as a priority. Zero is a value for
\`policy.delta_percent\`, \`policy.weights\`, \`policy.auto_redeem.keep\`, \`proxy.retry_budget_percent\` and
\`notify.pool_below\`. \`run.proxy_url\`, the older name of \`proxy.proxy_url\`, is read if \`proxy.proxy_url\` is missing.
[notifications.md](notifications.md) explains \`[notify]\`, [cluster.md](cluster.md) explains \`[cluster]\`.

\`[accounts.ALIAS]\` sets options of an account: \`priority\` (a whole number), \`floor_daily\` and \`floor_weekly\` (such as
\`"20%"\`), \`tags\` (a list), \`note\` (a text), \`monthly_cap\` (USD a month, for an account with
[an API key](api-key.md)) and \`concurrency\` (the most [concurrent turns](policies.md#concurrent-turns), 1 to
${LARGEST_CONCURRENCY}). They override \`codexlb account set\` ([policies.md](policies.md#priorities-and-floors)).

\`[prices."MODEL"]\` adds or replaces a price for the estimates of \`codexlb usage\`, in USD per million tokens:
\`input\`, \`output\`, and \`cached_input\` (default: as \`input\`) ([usage.md](usage.md#the-cost-is-an-estimate)).
\`codexlb config show\` lists these prices after the settings, but not the packaged ones.

## Which value wins

1. a flag of \`codexlb proxy\`
2. an environment variable (below)
3. config.toml
4. the default

Commands find the proxy at the first of these: a flag or \`CODEXLB_PROXY_URL\`, \`proxy.proxy_url\`, the proxy that runs on
their root, the address in \`proxy.listen\`.

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
  ["`CODEXLB_CLUSTER_URL`", "`cluster.url`"],
  ["`CODEXLB_CLUSTER_KEY_FILE`", "`cluster.key_file`"],
])}
## Changes while the proxy runs

The proxy checks the file every second. It applies a valid change immediately, and logs which settings changed. A change
of \`proxy.listen\` or \`[cluster]\` takes effect only after a restart; the proxy logs that, too.

If the file is empty, missing or not valid TOML, or if a value is wrong, the proxy keeps the last valid settings. It
reports the line, the key and the reason once, on standard error and as the event \`config.reload_failed\`. It warns once
about unknown keys.

\`codexlb config check\` checks the file, and exits with 1 if the file is not valid. Meanwhile other commands use the
settings of the running proxy, and warn about the file. \`config check\`, \`proxy start\` and \`proxy restart\` also
warn about unknown keys, and about \`[accounts.ALIAS]\` tables that name no existing account.

[networks.md](networks.md) describes the variables for an HTTP proxy and for certificates.

## Codex's own settings

\`codexlb run\` gives Codex a home with stub credentials and a config.toml of its own, and with links to your files and
threads ([codex-home.md](codex-home.md)). Each run copies settings from the config.toml in \`CODEX_HOME\` (or \`~/.codex\`);
if there is none, from that of the account that served last. With \`--isolated-home\` or \`--codex-home\`, the account's
file comes first. Later changes in the run's home (by \`codexlb run mcp add ...\`, in Codex's menus, by hand) win.
Comments are not copied.

- Relative paths in these settings (\`model_instructions_file\`, \`agents.NAME.config_file\`, ...) become absolute, so they
  still name the same files.
- Profiles (\`NAME.config.toml\`, for \`--profile NAME\`) are copied in the same way, without base URLs.
- \`forced_login_method\` and \`forced_chatgpt_workspace_id\` are not copied, because with them Codex would delete the stub
  login. \`codexlb run\` reports that once.

\`codexlb run\` sets \`chatgpt_base_url\`, \`sqlite_home\` (unless you set it) and \`features.daemon_auto_start\` there. It refuses
a \`--codex-home\` with a login or settings that codexlb did not put there.

With \`run.inherit_shell\` your shell's profile runs first. Codex gets its variables, working directory and umask, but not
its limits (\`ulimit\`). Variables that \`codexlb run\` itself sets, such as \`CODEX_HOME\`, win. The profile's output goes to
the terminal, or to standard error if standard output is not a terminal. The profile can read standard input only if
that is a terminal; other input is left to Codex.

## Listening for other machines

A proxy that listens on addresses other than loopback starts only with one of these settings:

- \`proxy.client_auth = true\`: clients must show a key (\`codexlb key add NAME\`), or the credentials that \`codexlb run\`
  gives to Codex. On another machine: \`CODEXLB_CLIENT_KEY=KEY codexlb run --proxy-url http://host:8765\`.
  On the proxy's own machine \`codexlb run\` with the same root needs no key. If \`CODEXLB_CLIENT_KEY\` is set there, the run
  uses that key, with its limits, and fails if the proxy does not accept it. Codex sends some requests (of its
  connectors) without credentials. For these, \`codexlb run\` puts a key into the path of \`chatgpt_base_url\`, in the
  config.toml of Codex's home only.
- \`proxy.allow_unauthenticated = true\`: every client that reaches the port can use the accounts.

Clients must address the proxy by one of its own addresses or by a name in \`proxy.allowed_hosts\`.

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
