// The flags that several commands share: the root, and the proxy.

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
      "Address of the proxy (CODEXLB_PROXY_URL; default proxy.proxy_url, else http://<proxy.listen>)",
    valueHint: "URL",
  },
} as const;

export const ADMIN_TOKEN_FLAG = {
  "admin-token": {
    type: "string",
    description: "Admin token of the proxy (CODEXLB_ADMIN_TOKEN; default on this machine: ROOT/admin.token)",
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

/** The flags of commands that another proxy can carry out. */
export const REMOTE_FLAGS = {
  "proxy-url": {
    type: "string",
    description: "Proxy that carries out the command (CODEXLB_PROXY_URL; default proxy.proxy_url)",
    valueHint: "URL",
  },
  "proxy-name": {
    type: "string",
    description: "Name of the proxy in a chain that carries out the command",
    valueHint: "NAME",
  },
  ...ADMIN_TOKEN_FLAG,
} as const;

/** The values of `REMOTE_FLAGS`. */
export interface RemoteFlags {
  readonly "proxy-url"?: string | undefined;
  readonly "proxy-name"?: string | undefined;
  readonly "admin-token"?: string | undefined;
}

/** All of these flags, as the manual page describes them once. */
export const COMMON_FLAGS = { ...ROOT_FLAG, ...REMOTE_FLAGS, ...CODEX_BIN_FLAG } as const;
