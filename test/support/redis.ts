// Starts a real Redis or Valkey server on a free port and a unix socket, with its data in a temporary directory.

import { join } from "node:path";
import { tempDirectory } from "./temp.ts";

export interface TestRedis extends AsyncDisposable {
  readonly pid: number;
  readonly directory: string;
  /** The URL over the unix socket. */
  readonly url: string;
  readonly tcpUrl: string;
  /** Runs `redis-cli` with `args` and returns its output. */
  cli(...args: readonly string[]): Promise<string>;
  /** Ends the server with `signal` and waits for its exit. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts the server again on the same address, with the same data. */
  restart(): Promise<void>;
}

/** Why there is no server for tests; undefined if there is one. */
export const whyNoRedis =
  Bun.which("redis-server") === null ? "there is no redis-server (apt-get install redis-server)" : undefined;
if (whyNoRedis !== undefined) console.log(`skipped: tests with an engine (${whyNoRedis})`);

/** Where `.ci/run` puts servers that Debian does not have. */
const OTHER_SERVERS = join(import.meta.dir, "..", "..", ".tools", "engines");

/** The servers on this machine: that of Debian, the oldest supported Redis, and Valkey. */
export const SERVERS: readonly { readonly name: string; readonly path: string }[] = [
  "redis-server",
  "redis-oldest-server",
  "valkey-server",
].flatMap((name) => {
  const path = Bun.which(name, { PATH: `${process.env.PATH}:${OTHER_SERVERS}` });
  if (path === null) console.log(`skipped: tests with ${name}, which is not on this machine`);
  return path === null ? [] : [{ name, path }];
});

/**
 * `settings`: further options of the server, such as `["--appendonly", "yes"]`. `server`: the program; default: the
 * `redis-server` in PATH.
 */
export async function startRedis(
  settings: readonly string[] = [],
  server = "redis-server",
): Promise<TestRedis> {
  const temp = tempDirectory();
  const socket = join(temp.path, "redis.sock");
  const port = freePort();
  const start = async () => {
    const child = Bun.spawn(
      [
        server,
        ...["--port", String(port), "--bind", "127.0.0.1"],
        ...["--unixsocket", socket, "--dir", temp.path, "--daemonize", "no"],
        ...settings,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    const reader = child.stdout.getReader();
    const decoder = new TextDecoder();
    let out = "";
    while (!out.includes("Ready to accept connections")) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`redis-server exited: ${out}`);
      out += decoder.decode(value, { stream: true });
    }
    void drain(reader);
    return child;
  };
  let child = await start();
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    child.kill(signal);
    await child.exited;
  };
  return {
    get pid() {
      return child.pid;
    },
    directory: temp.path,
    url: `unix://${socket}`,
    tcpUrl: `redis://127.0.0.1:${port}`,
    cli: async (...args) => {
      const ran = Bun.spawn(["redis-cli", "-s", socket, ...args], { stdout: "pipe", stderr: "pipe" });
      return (await ran.stdout.text()).trim();
    },
    kill,
    restart: async () => {
      child = await start();
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGCONT");
      await kill();
      temp[Symbol.dispose]();
    },
  };
}

/** A port that was free a moment ago. The server itself cannot choose one. */
export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

// --- internal ---

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  for (;;) if ((await reader.read()).done) return;
}
