// Runs the executable as a backend and as a proxy whose accounts are in different states.

import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { type Executable, executable, type RunningProcess } from "./executable.ts";

export interface ExecutablePool extends AsyncDisposable {
  readonly tool: Executable;
  proxy(): { readonly pid: number; readonly url: string };
  stopProxy(): Promise<void>;
  /** Starts the proxy again, on another port. */
  startProxy(): Promise<void>;
}

/** Starts a pool with three accounts: alice is unused, bob is pinned, active and at 80 %, carol is disabled. */
export async function startExecutablePool(): Promise<ExecutablePool> {
  const tool = executable();
  const homes = join(tool.directory, "logins");
  const accounts = ["alice", "bob", "carol"];
  const mock = await tool.start([
    "mock",
    "--port",
    "0",
    "--accounts",
    accounts.map((alias) => `${alias}:5`).join(","),
    "--homes",
    homes,
  ]);
  const upstream = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
  for (const alias of accounts) await done(tool, ["account", "import", "--from", join(homes, alias), alias]);
  const start = () =>
    tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream], {
      CODEXLB_TOKEN_URL: `${new URL(upstream).origin}/oauth/token`,
    });
  let proxy = await start();
  await done(tool, ["account", "pin", "bob"]);
  await done(tool, ["account", "disable", "carol"]);
  await createSseClient(urlOf(proxy), "s").turn("hello");
  return {
    tool,
    proxy: () => ({ pid: proxy.pid, url: urlOf(proxy) }),
    stopProxy: async () => void (await proxy.stop()),
    startProxy: async () => {
      proxy = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await mock[Symbol.asyncDispose]();
      tool[Symbol.dispose]();
    },
  };
}

// --- internal ---

function urlOf({ firstLine }: RunningProcess): string {
  return /listening on (http:\S+)/.exec(firstLine)?.[1] ?? "";
}

async function done(tool: Executable, args: readonly string[]): Promise<void> {
  const ran = await tool.run(args);
  if (ran.code !== 0) throw new Error(`codexlb ${args.join(" ")}: ${ran.err}`);
}
