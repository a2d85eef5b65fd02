// Starts replicas of one pool: executables with their own roots, a real engine, and a simulated backend in this process.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { type Executable, executable, type Ran, type RunningProcess } from "./executable.ts";
import { startRedis, type TestRedis } from "./redis.ts";

export interface Replica {
  readonly layout: Layout;
  readonly url: string;
  readonly pid: number;
  /** Runs a command on the root of the replica. */
  run(...args: readonly string[]): Promise<Ran>;
  /** Ends the proxy and returns what it printed. */
  stop(): Promise<Ran>;
  /** Starts the proxy again, on another port. */
  start(): Promise<void>;
}

export interface Replicas extends AsyncDisposable {
  readonly tool: Executable;
  readonly redis: TestRedis;
  readonly mock: MockBackend;
  readonly list: readonly Replica[];
  readonly env: Record<string, string>;
}

export interface ReplicasOptions {
  readonly aliases: readonly string[];
  readonly count?: number;
  /** Lifetime of access tokens, seconds. */
  readonly tokenSeconds?: number;
  /** What the backend does to some requests. */
  readonly faults?: readonly FaultInput[];
  /** Options of the engine. Default: an append-only file. */
  readonly engine?: readonly string[];
  /** Text of the config.toml of each replica. */
  readonly config?: string;
}

/** Creates a pool from one root with `aliases`, joins it with the others, and starts a proxy on each. */
export async function startReplicas(options: ReplicasOptions): Promise<Replicas> {
  const { aliases, count = 3, tokenSeconds, engine = ["--appendonly", "yes"] } = options;
  const tool = executable();
  const redis = await startRedis(engine);
  const mock = startMock({
    accounts: aliases.map((alias) => ({ alias, turns: 1_000_000 })),
    clock: systemDeps().clock,
    ...(tokenSeconds === undefined ? {} : { tokenSeconds }),
  });
  mock.faults.add(...(options.faults ?? []));
  const env = {
    CODEXLB_CLUSTER_URL: redis.url,
    CODEXLB_CLUSTER_KEY_FILE: join(tool.directory, "pool.key"),
    CODEXLB_TOKEN_URL: mock.tokenUrl,
  };
  const made = Array.from({ length: count }, (_, index) => {
    const layout = layoutOf(join(tool.directory, `replica${index}`));
    mkdirSync(layout.root, { mode: 0o700 });
    writeFileSync(layout.config, options.config ?? '[policy]\nmode = "round_robin"\n', { mode: 0o600 });
    return replica(tool, layout, mock, env);
  });
  const [first, ...others] = made;
  for (const alias of aliases) {
    const home = join(tool.directory, `login-${alias}`);
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), mock.authFile(alias), { mode: 0o600 });
    await done(first!.run("account", "import", "--from", home, alias));
  }
  await done(first!.run("cluster", "init"));
  for (const other of others) await done(other.run("cluster", "join"));
  await Promise.all(made.map((one) => one.start()));
  return {
    tool,
    redis,
    mock,
    list: made,
    env,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(made.map((one) => one[Symbol.asyncDispose]()));
      await mock.stop();
      await redis[Symbol.asyncDispose]();
      tool[Symbol.dispose]();
    },
  };
}

/** Throws what a command printed if it failed. */
export async function done(running: Promise<Ran>): Promise<Ran> {
  const ran = await running;
  if (ran.code !== 0) throw new Error(ran.err);
  return ran;
}

// --- internal ---

function replica(
  tool: Executable,
  layout: Layout,
  mock: MockBackend,
  pool: Record<string, string>,
): Replica & AsyncDisposable {
  const env = { ...pool, CODEXLB_ROOT: layout.root };
  let proxy: RunningProcess | undefined;
  return {
    layout,
    get url() {
      return /listening on (http:\S+)/.exec(proxy?.firstLine ?? "")?.[1] ?? "";
    },
    get pid() {
      return proxy?.pid ?? 0;
    },
    run: (...args) => tool.run(args, env),
    start: async () => {
      proxy = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl], env);
    },
    stop: async () => {
      if (proxy === undefined) throw new Error("the proxy does not run");
      return proxy.stop();
    },
    [Symbol.asyncDispose]: async () => proxy?.[Symbol.asyncDispose](),
  };
}
