// What a user has to do with a new key, and which settings still keep it from being used.

import { advised } from "../../advice.ts";
import type { KeyRole } from "../../auth/keys-file.ts";
import { isLoopback, isWildcard, parseListen } from "../../core/listen.ts";
import type { Config } from "../../state/settings.ts";

/** The parts of a proxy's settings that decide whether a key can be used. */
export type KeySettings = Pick<Config["proxy"], "listen" | "client_auth">;

/** The next steps for the holder of a key with `role`, one per line. `HOST` stands for the name of this machine. */
export function keySteps(role: KeyRole, { listen }: Pick<KeySettings, "listen">): string[] {
  const { host, port } = parseListen(listen) ?? { host: "", port: DEFAULT_PORT };
  const isOpen = !isLoopback(host) && !isWildcard(host);
  const address = `${isOpen ? host : "HOST"}:${port === 0 ? "PORT" : port}`;
  if (role === "parent")
    return [`add this proxy to proxy.child_proxy_urls of the proxy in front, as http://:KEY@${address}`];
  if (role === "metrics")
    return [`a monitoring program reads http://${address}/metrics with Authorization: Bearer KEY`];
  return [
    `to run Codex on another machine, run there: CODEXLB_PROXY_URL=http://${address} CODEXLB_CLIENT_KEY=KEY codexlb run`,
    "other clients send the key as Authorization: Bearer KEY",
  ];
}

/** Where the settings of a proxy come from. */
export interface SettingsPlace {
  /** The config.toml. */
  readonly path: string;
  /** The source of `listen`, as in `config show`. */
  readonly listenSource: string | undefined;
  /** True if a service runs the proxy. */
  readonly isService: boolean;
}

/** The settings that keep a key with `role` from having an effect, each with its remedy. */
export function keyObstacles(
  role: KeyRole,
  { listen, client_auth }: KeySettings,
  { path, listenSource, isService }: SettingsPlace,
): string[] {
  // A monitoring program often runs on the proxy's machine.
  if (role === "metrics") return [];
  const isLocal = isLoopback(parseListen(listen)?.host ?? "");
  const open = `0.0.0.0:${parseListen(listen)?.port || DEFAULT_PORT}`;
  const remedy =
    listenSource === LISTEN_FLAG
      ? `the proxy was started with ${LISTEN_FLAG}, which overrides ${path}, so run: ${advised(isService ? "service install" : "proxy restart", LISTEN_FLAG, open)}`
      : `set listen = ${JSON.stringify(open)} below [proxy] in ${path}, and restart the proxy`;
  return [
    ...(role === "client" && !client_auth
      ? [
          `the proxy accepts clients without a key as long as proxy.client_auth = false: set client_auth = true below [proxy] in ${path}`,
        ]
      : []),
    ...(isLocal
      ? [`the proxy listens on ${listen}, which other machines cannot reach directly: ${remedy}`]
      : []),
  ];
}

// --- internal ---

const DEFAULT_PORT = 8765;
const LISTEN_FLAG = "--listen";
