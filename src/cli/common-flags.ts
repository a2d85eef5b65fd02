// The flags that several commands have: the root they work on, and the proxy they ask.

/** The flag that every command has. */
export const ROOT_FLAG = {
  root: {
    type: "string",
    description: "State directory (CODEXLB_ROOT; default ~/.codex-lb)",
    valueHint: "DIR",
  },
} as const;

export const PROXY_URL_FLAG = {
  "proxy-url": {
    type: "string",
    description:
      "Where the proxy is (CODEXLB_PROXY_URL; default proxy.proxy_url, else http://<proxy.listen>)",
    valueHint: "URL",
  },
} as const;

export const ADMIN_TOKEN_FLAG = {
  "admin-token": {
    type: "string",
    description: "Its admin token (CODEXLB_ADMIN_TOKEN; on this machine ROOT/admin.token)",
    valueHint: "TOKEN",
  },
} as const;

export const CODEX_BIN_FLAG = {
  "codex-bin": {
    type: "string",
    description: "Codex executable on this machine (CODEXLB_CODEX_BIN; default codex)",
    valueHint: "PATH",
  },
} as const;

/** The flags of commands that a proxy elsewhere can carry out. */
export const REMOTE_FLAGS = {
  "proxy-url": {
    type: "string",
    description: "Have it done by the proxy there (CODEXLB_PROXY_URL; default proxy.proxy_url)",
    valueHint: "URL",
  },
  "proxy-name": {
    type: "string",
    description: "Which proxy of a chain shall do it",
    valueHint: "NAME",
  },
  ...ADMIN_TOKEN_FLAG,
} as const;

export interface RemoteFlags {
  readonly "proxy-url"?: string | undefined;
  readonly "proxy-name"?: string | undefined;
  readonly "admin-token"?: string | undefined;
}
