// The command that runs Codex through the proxy: its arguments, its environment, and both as one line of shell.

import { KEEP_ID_TOKEN } from "../core/token-request.ts";
import { quote } from "../quote.ts";
import type { CodexAddresses } from "./addresses.ts";
import { directHosts, namesProxy, noProxyWith } from "./direct-hosts.ts";

export interface CodexCommand {
  readonly binary: string;
  readonly args: readonly string[];
  /** Variables to add to the inherited environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Hosts to add to `NO_PROXY`. */
  readonly directHosts: readonly string[];
}

export interface CommandOptions {
  readonly binary: string;
  readonly addresses: CodexAddresses;
  /**
   * True if `chatgpt_base_url` contains a key: it must not be an argument, which other users can see. Default false.
   */
  readonly keyed?: boolean;
  /** The proxy URL as given. Codex before 0.118 reads it from the environment. */
  readonly proxyUrl: string;
  /** Undefined: the user's own home, with its own login and renewal. */
  readonly codexHome: string | undefined;
  /** True if the id token of the stub names the owner of the user's threads, and must stay. Default false. */
  readonly keepsIdToken?: boolean;
  /** `commands.run` of the settings. */
  readonly prefix: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** An API key for versions of Codex that require one. The proxy ignores it. */
const PLACEHOLDER_KEY = "codex-lb-local-key";

export function codexCommand(options: CommandOptions): CodexCommand {
  const { addresses, prefix, args, env } = options;
  return {
    binary: options.binary,
    args: [
      "-c",
      `openai_base_url=${JSON.stringify(addresses.openai)}`,
      ...(options.keyed ? [] : ["-c", `chatgpt_base_url=${JSON.stringify(addresses.chatgpt)}`]),
      ...prefix,
      ...args,
    ],
    env: {
      ...(options.codexHome === undefined
        ? {}
        : {
            CODEX_HOME: options.codexHome,
            CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${addresses.token}${options.keepsIdToken ? KEEP_ID_TOKEN : ""}`,
            ...(env.OPENAI_API_KEY ? {} : { OPENAI_API_KEY: PLACEHOLDER_KEY }),
          }),
      OPENAI_BASE_URL: options.proxyUrl,
    },
    directHosts: directHosts(addresses),
  };
}

/**
 * The command as one line for a POSIX shell. The line sets `NO_PROXY` if `inherited`, the environment, sets an HTTP
 * proxy.
 */
export function commandLine(
  { binary, args, env, directHosts: hosts }: CodexCommand,
  inherited: CommandOptions["env"],
): string {
  const noProxy = namesProxy(inherited) ? noProxyWith(inherited, hosts) : {};
  const settings = Object.entries({ ...env, ...noProxy })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${quote(value)}`);
  return [...settings, quote(binary), ...args.map(quote)].join(" ");
}
