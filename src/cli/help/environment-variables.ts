// The environment variables that commands read, for the manual page.

export interface Variable {
  readonly name: string;
  readonly description: string;
}

export const ENVIRONMENT: readonly Variable[] = [
  { name: "CODEXLB_ROOT", description: "The state directory, as --root. The default is ~/.codex-lb." },
  { name: "CODEXLB_PROXY_URL", description: "Where commands find the proxy, as --proxy-url." },
  {
    name: "CODEXLB_ADMIN_TOKEN",
    description: "Opens the admin API of a proxy on another machine, as --admin-token.",
  },
  {
    name: "CODEXLB_CLIENT_KEY",
    description: "The key with which codexlb run asks a proxy on another machine for credentials.",
  },
  {
    name: "CODEXLB_CODEX_BIN",
    description: "The Codex that run, account login and doctor start, as --codex-bin.",
  },
  { name: "CODEXLB_TOKEN_URL", description: "The token endpoint. The default is OpenAI's." },
  { name: "CODEXLB_ISSUER", description: "The sign-in. The default is OpenAI's." },
  { name: "CODEXLB_PROXY_NAME", description: "The setting proxy.name of a running proxy." },
  {
    name: "CODEXLB_CHILD_PROXY_URLS",
    description: "Its setting proxy.child_proxy_urls, separated by commas or white space.",
  },
  { name: "CODEXLB_UPSTREAM", description: "Its setting proxy.upstream_base_url." },
  {
    name: "CODEXLB_CONTAINER_LISTEN",
    description:
      "Where it listens instead of a loopback address in proxy.listen. The container image sets it, because published ports do not reach the loopback address of a container.",
  },
  { name: "CODEXLB_ALLOW_UNAUTHENTICATED", description: "1: its setting proxy.allow_unauthenticated." },
  { name: "CODEXLB_RELEASE", description: "Where codexlb upgrade finds a release, as --from." },
  {
    name: "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
    description: "The network's HTTP proxy, and the hosts to connect to directly.",
  },
  {
    name: "CODEX_CA_CERTIFICATE, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS",
    description: "PEM files of certificate authorities to trust in addition to the built-in ones.",
  },
  { name: "CODEXLB_DEBUG", description: "1: errors are shown with where in the program they arose." },
  {
    name: "CODEX_HOME",
    description: "The Codex home that account import reads and login-with writes. The default is ~/.codex.",
  },
  { name: "SHELL", description: "The shell that starts Codex, when the setting run.inherit_shell says so." },
  { name: "COLUMNS", description: "How wide the output may be. The default is the width of the terminal." },
  { name: "NO_COLOR", description: "When it is set, nothing is coloured." },
];
