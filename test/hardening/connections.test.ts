// Hostile connections to the executable: it keeps responding, closes no connection that is in use, and frees its
// file descriptors afterwards.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import WebSocket from "ws";
import { createSseClient } from "../../src/mock/client.ts";
import { executable } from "../support/executable.ts";
import { until } from "../support/pool.ts";

const HEAD = "HTTP/1.1\r\nHost: localhost\r\n";
const TURNS = "/backend-api/codex/responses";

interface Flood {
  readonly name: string;
  readonly count: number;
  readonly openFiles: number;
  /** What each connection sends immediately. */
  readonly first: string;
  /** What each connection then sends repeatedly. */
  readonly drip?: string;
}

const FLOODS: readonly Flood[] = [
  { name: "140 silent connections at 128 open files", count: 140, openFiles: 128, first: "" },
  { name: "2,000 silent connections at 1,024 open files", count: 2_000, openFiles: 1_024, first: "" },
  {
    name: "2,000 heads that never end",
    count: 2_000,
    openFiles: 1_024,
    first: `GET / ${HEAD}X: `,
    drip: "a",
  },
  {
    name: "2,000 bodies that never end",
    count: 2_000,
    openFiles: 1_024,
    first: `POST ${TURNS} ${HEAD}Content-Length: 100000\r\n\r\n`,
    drip: "a",
  },
  {
    name: "2,000 connections kept alive after a request",
    count: 2_000,
    openFiles: 1_024,
    first: `GET /healthz ${HEAD}\r\n`,
  },
];
/**
 * The time limit for responses from /healthz and admin.sock. They take milliseconds, but the kernel drops the first
 * packets of a connection while its queue is full, and the client repeats them after 1 and 3 s.
 */
const ANSWER_MS = 5_000;
/**
 * The time limit for the end of a flood. On a busy machine the kernel delivers connections up to 15 s late, including
 * those whose client has already gone.
 */
const SETTLED_MS = 30_000;
/** A fifth of a core, in the ticks of /proc, which are 10 ms long. */
const MOST_TICKS_PER_SECOND = 20;

describe.if(process.platform === "linux")("a flood of", () => {
  for (const flood of FLOODS)
    test(`${flood.name} leaves turns, /healthz and admin.sock working, and connections in use open`, async () => {
      await using proxy = await startProxy(flood.openFiles);
      const before = openFiles(proxy.pid);
      const used = [await openSocket(proxy.url), await openPresence(proxy.url, proxy.adminToken())];
      using attack = await startFlood(proxy.url, flood);
      expect(await healthz(proxy.url)).toBe(200);
      expect(await healthz("http://localhost", proxy.adminSocket)).toBe(200);
      // The proxy may respond with 503 until it has closed connections. Codex retries after a 503.
      await until("a turn is served", async () => (await turn(proxy.url)) === "Hello from alice", SETTLED_MS);
      await until(
        "the proxy has closed the excess connections",
        () => openFiles(proxy.pid) < flood.openFiles * 0.76,
        SETTLED_MS,
      );
      // Connections that the kernel delivers late are closed when they arrive, which takes CPU time.
      await until("the proxy is idle", () => isIdle(proxy.pid), SETTLED_MS);
      expect(used.map((one) => one.isOpen())).toEqual([true, true]);
      attack[Symbol.dispose]();
      for (const one of used) one.close();
      await until("the file descriptors are free", () => openFiles(proxy.pid) <= before + FEW, SETTLED_MS);
      const { err } = await proxy.stop();
      expect(err).toMatch(
        /too many connections: \d+ of \d+ file descriptors in use, \d+ silent connections? closed, .* \(ulimit -n\)/,
      );
      expect(proxy.events()).toContain('"event":"connections.limited"');
    }, 120_000);
});

test.if(process.platform === "linux")(
  "the soft limit on open files is raised to the hard limit",
  async () => {
    await using proxy = await startProxy(1_024, 128);
    const limits = readFileSync(`/proc/${proxy.pid}/limits`, "utf8");
    expect(/Max open files +(\d+) +(\d+)/.exec(limits)?.slice(1)).toEqual(["1024", "1024"]);
  },
);

test.if(process.platform === "linux")(
  "if all connections are in use, requests are refused and no connection is closed",
  async () => {
    await using proxy = await startProxy(128);
    const sockets: InUse[] = [];
    const read = () => fetch(`${proxy.url}/backend-api/codex/models`, { keepalive: false });
    for (let isFull = false; !isFull; ) {
      expect(sockets.length).toBeLessThan(64);
      await openSocket(proxy.url).then(
        (socket) => sockets.push(socket),
        () => {
          isFull = true;
        },
      );
    }
    const response = await read();
    expect(await response.json()).toMatchObject({ error: { code: "too_many_connections" } });
    expect(response.headers.get("connection")).toBe("close");
    expect(await healthz(proxy.url)).toBe(200);
    expect(await healthz("http://localhost", proxy.adminSocket)).toBe(200);
    expect(sockets.filter((socket) => !socket.isOpen())).toEqual([]);
    for (const socket of sockets) socket.close();
    await until("requests are served again", async () => (await read()).status === 200);
  },
  30_000,
);

// --- internal ---

/** An allowance for idle connections to upstreams, which the proxy keeps, and for other open files. */
const FEW = 12;

interface InUse {
  isOpen(): boolean;
  close(): void;
}

async function openSocket(url: string): Promise<InUse> {
  const socket = new WebSocket(url.replace("http", "ws") + TURNS);
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return { isOpen: () => socket.readyState === WebSocket.OPEN, close: () => socket.terminate() };
}

async function openPresence(url: string, token: string): Promise<InUse> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/admin/presence`, {
    headers: { authorization: `Bearer ${token}` },
    signal: leaving.signal,
  });
  expect(response.status).toBe(200);
  let isOpen = true;
  response.text().then(
    () => {
      isOpen = false;
    },
    () => {
      isOpen = false;
    },
  );
  return { isOpen: () => isOpen, close: () => leaving.abort() };
}

/** Opens the connections, and resolves when the proxy has closed the first of them. */
async function startFlood(url: string, { count, first, drip }: Flood): Promise<Disposable> {
  const port = Number(new URL(url).port);
  const sockets: Socket[] = [];
  const firstClosed = Promise.withResolvers<void>();
  for (let opened = 0; opened < count; opened++) {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    socket.on("connect", () => socket.write(first));
    // Some connections may fail: the kernel drops their first packets while its queue is full.
    socket.on("error", () => {});
    socket.on("close", () => firstClosed.resolve());
    socket.resume();
  }
  // Linux delivers a silent connection only after a second.
  await firstClosed.promise;
  const dripping = setInterval(() => {
    if (drip !== undefined) for (const socket of sockets) if (socket.writable) socket.write(drip);
  }, 500);
  return {
    [Symbol.dispose]: () => {
      clearInterval(dripping);
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function turn(url: string): Promise<string> {
  try {
    return await createSseClient(url, "s").turn("hello");
  } catch (error) {
    return String(error);
  }
}

async function healthz(url: string, unix?: string): Promise<number> {
  const response = await fetch(`${url}/healthz`, {
    keepalive: false,
    signal: AbortSignal.timeout(ANSWER_MS),
    ...(unix === undefined ? {} : { unix }),
  });
  return response.status;
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Measures for a second, because CPU usage is a difference. */
async function isIdle(pid: number): Promise<boolean> {
  const before = cpuTicks(pid);
  await Bun.sleep(1_000);
  return cpuTicks(pid) - before < MOST_TICKS_PER_SECOND;
}

function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function startProxy(hardLimit: number, softLimit = hardLimit) {
  const tool = executable();
  const homes = join(tool.directory, "logins");
  const mock = await tool.start(["mock", "--port", "0", "--accounts", "alice:5", "--homes", homes]);
  const upstream = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
  const imported = await tool.run(["account", "import", "--from", join(homes, "alice"), "alice"]);
  if (imported.code !== 0) throw new Error(imported.err);
  const proxy = await tool.start(
    ["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream],
    { CODEXLB_TOKEN_URL: `${new URL(upstream).origin}/oauth/token` },
    { hard: hardLimit, soft: softLimit },
  );
  return {
    url: /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "",
    pid: proxy.pid,
    adminSocket: join(tool.root, "admin.sock"),
    adminToken: () => readFileSync(join(tool.root, "admin.token"), "utf8").trim(),
    events: () => readFileSync(join(tool.root, "logs", "proxy.current.jsonl"), "utf8"),
    stop: () => proxy.stop(),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await mock[Symbol.asyncDispose]();
      tool[Symbol.dispose]();
    },
  };
}
