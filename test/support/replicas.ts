// Starts replicas of one pool: executables with their own roots, a real engine, and a backend simulated here.

import { cpSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { type Executable, executable, type Ran, type RunningProcess } from "./executable.ts";
import { enrol } from "./pool.ts";
import { startRedis, type TestRedis } from "./redis.ts";
import { tempDirectory } from "./temp.ts";

export interface Replica {
  readonly layout: Layout;
  readonly url: string;
  readonly pid: number;
  /** Runs a command on the root of the replica. */
  run(...args: readonly string[]): Promise<Ran>;
  /** Ends the proxy and returns what it printed. */
  stop(): Promise<Ran>;
  /** Starts the proxy again, on another port. `more`: additional environment variables. */
  start(more?: Record<string, string>): Promise<void>;
}

export interface Replicas extends AsyncDisposable {
  readonly tool: Executable;
  /** The directory with the roots of the replicas. */
  readonly directory: string;
  readonly redis: TestRedis;
  readonly mock: MockBackend;
  readonly list: readonly Replica[];
  readonly env: Record<string, string>;
  /** Copies the root of `replica` as it is. The proxy on the copy is not started yet. */
  copyOf(replica: Replica): Replica;
}

export interface ReplicasOptions {
  readonly aliases: readonly string[];
  /** More accounts of the backend, which the pool does not have. */
  readonly strangers?: readonly string[];
  readonly count?: number;
  /** Lifetime of access tokens, seconds. */
  readonly tokenSeconds?: number;
  /** What the backend does to some requests. */
  readonly faults?: readonly FaultInput[];
  /** Options of the engine. Default: an append-only file. */
  readonly engine?: readonly string[];
  /** The program of the engine. Default: `redis-server`. */
  readonly server?: string;
  /** Text of the config.toml of each replica. */
  readonly config?: string;
  /** The executable, if several pools share its copy. Default: a copy of its own. */
  readonly tool?: Executable;
  /** The URL under which the replica with this index reaches the engine. Default: the engine's socket. */
  readonly engineUrl?: (redis: TestRedis, index: number) => string | Promise<string>;
  /** Additional environment variables for the proxy with this index. */
  readonly env?: (index: number, mock: MockBackend) => Record<string, string>;
}

/** Creates a pool from one root with `aliases`, joins it with the others, and starts a proxy on each. */
export async function startReplicas(options: ReplicasOptions): Promise<Replicas> {
  const { aliases, count = 3, tokenSeconds, engine = ["--appendonly", "yes"] } = options;
  const tool = options.tool ?? executable();
  const own = options.tool === undefined ? undefined : tempDirectory();
  const directory = own?.path ?? tool.directory;
  const redis = await startRedis(engine, options.server);
  const mock = startMock({
    accounts: [...aliases, ...(options.strangers ?? [])].map((alias) => ({ alias, turns: 1_000_000 })),
    clock: systemDeps().clock,
    ...(tokenSeconds === undefined ? {} : { tokenSeconds }),
  });
  mock.faults.add(...(options.faults ?? []));
  const env = {
    CODEXLB_CLUSTER_URL: redis.url,
    CODEXLB_CLUSTER_KEY_FILE: join(directory, "pool.key"),
    CODEXLB_TOKEN_URL: mock.tokenUrl,
  };
  const making = Array.from({ length: count }, async (_, index) => {
    const layout = layoutOf(join(directory, `replica${index}`));
    mkdirSync(layout.root, { mode: 0o700 });
    writeFileSync(layout.config, options.config ?? '[policy]\nmode = "round_robin"\n', { mode: 0o600 });
    const url = (await options.engineUrl?.(redis, index)) ?? redis.url;
    const more = options.env?.(index, mock);
    return replica(tool, layout, mock, { ...env, CODEXLB_CLUSTER_URL: url, ...more });
  });
  const made = await Promise.all(making);
  const copies: (Replica & AsyncDisposable)[] = [];
  const [first, ...others] = made;
  for (const alias of aliases) enrol(first!.layout, alias, mock.authFile(alias));
  await done(first!.run("cluster", "init"));
  await Promise.all(others.map((other) => done(other.run("cluster", "join"))));
  await Promise.all(made.map((one) => one.start()));
  return {
    tool,
    directory,
    redis,
    mock,
    list: made,
    env,
    copyOf: ({ layout }) => {
      const root = `${layout.root}-copy`;
      // A socket cannot be copied, and is made again at the start.
      cpSync(layout.root, root, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
      const copy = replica(tool, layoutOf(root), mock, env);
      copies.push(copy);
      return copy;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...made, ...copies].map((one) => one[Symbol.asyncDispose]()));
      await mock.stop();
      await redis[Symbol.asyncDispose]();
      if (own === undefined) tool[Symbol.dispose]();
      else own[Symbol.dispose]();
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
    start: async (more) => {
      const words = ["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl];
      proxy = await tool.start(words, { ...env, ...more });
    },
    stop: async () => {
      if (proxy === undefined) throw new Error("the proxy does not run");
      return proxy.stop();
    },
    [Symbol.asyncDispose]: async () => proxy?.[Symbol.asyncDispose](),
  };
}
