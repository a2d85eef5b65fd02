// What hostile clients do with connections, to the compiled executable: it keeps answering, and gets everything back.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { type Executable, executable } from "../support/executable.ts";
import { until } from "../support/pool.ts";

const HEAD = "HTTP/1.1\r\nHost: localhost\r\n";

interface Flood {
  readonly name: string;
  readonly count: number;
  readonly openFiles: number;
  /** What each connection sends at once. */
  readonly first: string;
  /** What it sends again and again. */
  readonly drip?: string;
}

const FLOODS: readonly Flood[] = [
  { name: "connections that say nothing", count: 140, openFiles: 128, first: "" },
  { name: "2,000 connections that say nothing", count: 2_000, openFiles: 1_024, first: "" },
  {
    name: "2,000 heads that never end",
    count: 2_000,
    openFiles: 1_024,
    first: "GET / HTTP/1.1\r\nX: ",
    drip: "a",
  },
  {
    name: "2,000 bodies that never end",
    count: 2_000,
    openFiles: 1_024,
    first: `POST /backend-api/codex/responses ${HEAD}Content-Length: 100000\r\n\r\n`,
    drip: "a",
  },
  { name: "2,000 connections kept alive", count: 2_000, openFiles: 1_024, first: `GET /healthz ${HEAD}\r\n` },
  { name: "140 connections kept alive", count: 140, openFiles: 128, first: `GET /healthz ${HEAD}\r\n` },
];

describe("too many connections", () => {
  test.each(FLOODS.map((f) => [f.name, f] as const))(
    "%s leave room for turns, /healthz and admin.sock",
    async (_, flood) => {
      await using proxy = await startProxy(flood.openFiles);
      const before = openFiles(proxy.pid);
      using attack = await startFlood(proxy.url, flood);
      const t = performance.now();
      expect(await healthz(proxy.url)).toBe(200);
      const a = performance.now() - t;
      expect(await healthz(proxy.url, proxy.socket)).toBe(200);
      const b = performance.now() - t - a;
      expect(await createSseClient(proxy.url, "s").turn("hello")).toBe("Hello from alice");
      const c = performance.now() - t - a - b;
      await Bun.sleep(1000);
      const cpu0 = cpu(proxy.pid);
      await Bun.sleep(2000);
      console.log(
        flood.name,
        flood.openFiles,
        "healthz ms",
        a | 0,
        "admin ms",
        b | 0,
        "turn ms",
        c | 0,
        "cpu",
        (cpu(proxy.pid) - cpu0) / 2,
        "fds",
        before,
        openFiles(proxy.pid),
        "closed",
        attack.closed(),
      );
      attack[Symbol.dispose]();
      await until("the descriptors are back", () => openFiles(proxy.pid) <= before + 8);
      console.log(openFiles(proxy.pid), (await proxy.stop()).err);
    },
    30_000,
  );
});

function cpu(pid: number): number {
  const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(f[11]) + Number(f[12]);
}

interface Flooding extends Disposable {
  closed(): number;
}

async function startFlood(url: string, { count, first, drip }: Flood): Promise<Flooding> {
  const port = Number(new URL(url).port);
  const sockets: Socket[] = [];
  let closed = 0;
  await Promise.all(
    Array.from({ length: count }, () => {
      const socket = connect(port, "127.0.0.1");
      sockets.push(socket);
      const connected = Promise.withResolvers<void>();
      socket.on("connect", () => {
        socket.write(first);
        connected.resolve();
      });
      socket.on("error", () => connected.resolve());
      socket.on("data", () => {});
      socket.on("close", () => {
        closed++;
        connected.resolve();
      });
      return connected.promise;
    }),
  );
  const dripping = setInterval(() => {
    if (drip !== undefined) for (const socket of sockets) if (socket.writable) socket.write(drip);
  }, 500);
  return {
    closed: () => closed,
    [Symbol.dispose]: () => {
      clearInterval(dripping);
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function healthz(url: string, unix?: string): Promise<number> {
  const response = await fetch(`${unix === undefined ? url : "http://localhost"}/healthz`, {
    keepalive: false,
    signal: AbortSignal.timeout(10_000),
    ...(unix === undefined ? {} : { unix }),
  });
  return response.status;
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function startProxy(openFilesLimit: number) {
  const tool: Executable = executable();
  const homes = join(tool.directory, "logins");
  const mock = await tool.start(["mock", "--port", "0", "--accounts", "alice:5", "--homes", homes]);
  const upstream = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
  const imported = await tool.run(["account", "import", "--from", join(homes, "alice"), "alice"]);
  if (imported.code !== 0) throw new Error(imported.err);
  const proxy = await tool.start(
    ["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream],
    { CODEXLB_TOKEN_URL: `${new URL(upstream).origin}/oauth/token` },
    openFilesLimit,
  );
  return {
    url: /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "",
    socket: join(tool.root, "admin.sock"),
    pid: proxy.pid,
    stop: () => proxy.stop(),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await mock[Symbol.asyncDispose]();
      tool[Symbol.dispose]();
    },
  };
}
