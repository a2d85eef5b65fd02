// Runs a proxy with enrolled accounts and a backend, all in this process, on free ports.

import { join } from "node:path";
import { remoteAccounts } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import type { AccountOps } from "../../src/auth/account-ops.ts";
import { readSecret } from "../../src/auth/secrets.ts";
import { type Daemon, startDaemon } from "../../src/daemon/daemon.ts";
import { type Clock, type Deps, systemDeps } from "../../src/deps.ts";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import type { ConnectionLimits } from "../../src/proxy/connections.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../../src/state/atomic-file.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { tempDirectory } from "./temp.ts";

export interface TestPoolOptions {
  readonly accounts: readonly (MockAccountOptions & { readonly expiresInSeconds?: number })[];
  /**
   * Text of config.toml. Default: the `sticky` policy, so that the first account serves regardless of which accounts
   * were polled.
   */
  readonly config?: string;
  /** False: the proxy gets the backend from `config` instead of a flag. Default: true. */
  readonly upstreamFlag?: boolean;
  /** A custom backend instead of the simulated one, which still issues the tokens. */
  readonly upstream?: string;
  readonly clock?: Clock;
  /** The name of the root's directory. Default: a short one. */
  readonly rootName?: string;
  /** Additional environment variables for the proxy. */
  readonly env?: (layout: Layout, mock: MockBackend) => Record<string, string>;
  /** Connection limits, shorter than the real ones for tests that wait for them. */
  readonly limits?: ConnectionLimits;
  /** Called after the root is prepared and before the proxy starts. */
  readonly prepare?: (layout: Layout, mock: MockBackend) => void;
}

export interface TestPool extends AsyncDisposable {
  readonly mock: MockBackend;
  readonly daemon: Daemon;
  readonly url: string;
  readonly layout: Layout;
  readonly warnings: string[];
  /** Account operations through the admin socket. */
  readonly accounts: AccountOps;
  /** Grants access to the admin API over TCP. */
  readonly adminToken: string;
  status(): Promise<StatusView>;
  /** Stops the proxy, which flushes the log, and returns all events. Call it once, at the end of a test. */
  stopAndReadEvents(): Promise<LoggedEvent[]>;
}

export interface LoggedEvent {
  readonly ts: string;
  readonly event: string;
  readonly fields?: Record<string, unknown>;
}

export interface StatusView {
  readonly accounts: readonly {
    readonly alias: string;
    readonly healthy: boolean;
    readonly enabled: boolean;
    readonly active: boolean;
    readonly pinned: boolean;
    readonly cooldown_seconds: number;
    readonly cooldown_reason?: string;
    readonly disabled_reason?: string;
    readonly daily_left_pct: number;
    readonly weekly_left_pct: number;
    readonly in_flight: number;
    readonly last_used_at_ms: number;
  }[];
  readonly state: { readonly message_counter: number; readonly pinned_account_id?: string };
}

export async function startPool(options: TestPoolOptions): Promise<TestPool> {
  const directory = tempDirectory();
  const layout = layoutOf(join(directory.path, options.rootName ?? "r"));
  const system = systemDeps();
  const clock = options.clock ?? system.clock;
  const mock = startMock({ accounts: options.accounts, clock });
  const warnings: string[] = [];
  const deps: Deps = {
    ...system,
    clock,
    env: {
      HOME: directory.path,
      PATH: process.env.PATH,
      CODEXLB_TOKEN_URL: mock.tokenUrl,
      ...options.env?.(layout, mock),
    },
    log: { info: () => {}, warn: (message) => void warnings.push(message) },
  };
  for (const { alias, expiresInSeconds, apiKey } of options.accounts)
    if (apiKey === undefined) enrol(layout, alias, mock.authFile(alias, expiresInSeconds));
  makePrivateDirectory(layout.root);
  writeFileAtomic(layout.config, options.config ?? '[policy]\nmode = "sticky"\n');
  options.prepare?.(layout, mock);
  const upstream = options.upstream ?? mock.baseUrl;
  const daemon = await startDaemon(
    layout,
    { listen: "127.0.0.1:0", ...(options.upstreamFlag === false ? {} : { upstream }) },
    deps,
    options.limits,
  );
  let stopped = false;
  const stop = async () => {
    if (!stopped) await daemon.stop("test");
    stopped = true;
  };
  return {
    mock,
    daemon,
    url: daemon.url,
    layout,
    warnings,
    accounts: remoteAccounts(socketDoor(layout.adminSocket)),
    adminToken: readSecret(layout.adminToken) ?? "",
    status: async () => (await (await fetch(`${daemon.url}/status`)).json()) as StatusView,
    stopAndReadEvents: async () => {
      await stop();
      const lines = (readTextIfPresent(layout.events) ?? "").split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line) as LoggedEvent);
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await mock.stop();
      directory[Symbol.dispose]();
    },
  };
}

/** Writes a login to the place where the proxy looks for accounts. */
export function enrol(layout: Layout, alias: string, auth: string): void {
  const home = join(layout.accounts, alias);
  makePrivateDirectory(home);
  writeFileAtomic(join(home, "auth.json"), auth);
}

/** The usage-limit error in the backend's words. */
export function limitBody(resetsAtSeconds: number): Record<string, unknown> {
  return {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: "pro",
    resets_at: resetsAtSeconds,
    resets_in_seconds: 60,
  };
}

/**
 * Resolves when `check` returns true; rejects after `withinMs` (default 5 s) with an error that names `what`. For
 * effects that no promise reports.
 */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  withinMs = 5_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`timed out while waiting until ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
