// Files as the Go program writes them.

/** config.toml as the Go program writes it, byte for byte except for the proxy's name. */
export const GO_CONFIG = `# codexlb proxy settings
# edited by hand or by the program

[proxy]
name = 'proxy-0a1b2c3d'
listen = '127.0.0.1:8765'
upstream_base_url = 'https://chatgpt.com/backend-api'
child_proxy_urls = []
proxy_url = ''
max_attempts = 3
usage_timeout_ms = 30000
cooldown_default_seconds = 5

[policy]
mode = 'usage_balanced'
delta_percent = 10.0

[policy.weights]
daily = 60.0
weekly = 40.0

[quota]
refresh_interval_minutes = 10
refresh_interval_messages = 10
cache_ttl_minutes = 30

[commands]
login = ['login']
run = []

[run]
inherit_shell = true
`;
