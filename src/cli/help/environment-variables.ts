// The environment variables that codexlb reads, for the manual page.

/** An environment variable and its description. */
export interface Variable {
  readonly name: string;
  readonly description: string;
}

export const ENVIRONMENT: readonly Variable[] = [
  { name: "CODEXLB_ROOT", description: "The state directory, like --root. The default is ~/.codex-lb." },
  { name: "CODEXLB_PROXY_URL", description: "The address of the proxy, like --proxy-url." },
  {
    name: "CODEXLB_ADMIN_TOKEN",
    description: "The admin token of a proxy on another machine, like --admin-token.",
  },
  {
    name: "CODEXLB_CLIENT_KEY",
    description: "The client key that codexlb run uses with a proxy that admits only clients with a key.",
  },
  {
    name: "CODEXLB_CODEX_BIN",
    description: "The Codex executable for run, account login and doctor, like --codex-bin.",
  },
  { name: "CODEXLB_TOKEN_URL", description: "The URL of the token endpoint. The default is OpenAI's." },
  { name: "CODEXLB_ISSUER", description: "The URL of the sign-in service. The default is OpenAI's." },
  { name: "CODEXLB_PROXY_NAME", description: "Overrides the setting proxy.name of the proxy." },
  {
    name: "CODEXLB_CHILD_PROXY_URLS",
    description: "Overrides the setting proxy.child_proxy_urls; commas or white space separate the URLs.",
  },
  { name: "CODEXLB_UPSTREAM", description: "Overrides the setting proxy.upstream_base_url." },
  {
    name: "CODEXLB_CONTAINER_LISTEN",
    description:
      "The address to listen on instead of a loopback address in proxy.listen. The container image sets it, because published ports do not reach the loopback address of a container.",
  },
  {
    name: "CODEXLB_ALLOW_UNAUTHENTICATED",
    description: "1 turns the setting proxy.allow_unauthenticated on.",
  },
  { name: "CODEXLB_CLUSTER_URL", description: "Overrides the setting cluster.url of the proxy." },
  { name: "CODEXLB_CLUSTER_KEY_FILE", description: "Overrides the setting cluster.key_file of the proxy." },
  {
    name: "CODEXLB_CLUSTER_KEY",
    description: "The pool's key itself (32 bytes in base64), instead of a file with it.",
  },
  {
    name: "CODEXLB_RELEASE",
    description: "The directory or URL of the release for codexlb upgrade, like --from.",
  },
  {
    name: "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
    description: "The network's HTTP proxy, and the hosts to connect to directly.",
  },
  {
    name: "CODEX_CA_CERTIFICATE, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS",
    description: "PEM files of certificate authorities to trust in addition to the built-in ones.",
  },
  {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    description:
      "An OpenTelemetry collector, which gets a trace of each turn. The other standard OTLP variables apply, too.",
  },
  { name: "CODEXLB_DEBUG", description: "1 adds the stack trace to error messages." },
  {
    name: "CODEX_HOME",
    description: "The Codex home that account import reads and login-with writes. The default is ~/.codex.",
  },
  { name: "SHELL", description: "The shell that starts Codex if the setting run.inherit_shell is true." },
  { name: "COLUMNS", description: "The width of the output. The default is the width of the terminal." },
  { name: "NO_COLOR", description: "If set, the output has no colours." },
];
