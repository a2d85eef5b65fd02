// Measures the compiled proxy against the simulated backend directly: requests per second, CPU seconds of the
// proxy per 10,000 requests, and the latency it adds. Direct and proxied rounds alternate, so that other load on the
// machine affects both.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createSocketClient, createSseClient } from "../src/mock/client.ts";
import { executable } from "../test/support/executable.ts";
import { type Load, measure, median, type Round, residentMiB } from "./measure.ts";

const ROUNDS = 5;

using tool = executable();
const logins = join(tool.directory, "logins");
mkdirSync(logins);
const mock = await tool.start([
  "mock",
  "--port",
  "0",
  "--accounts",
  "alice:100000000,bob:100000000",
  "--homes",
  logins,
]);
const backend = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
const origin = new URL(backend).origin;
for (const alias of ["alice", "bob"])
  await tool.run(["account", "import", "--from", join(logins, alias), alias]);
const proxy = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", backend], {
  CODEXLB_TOKEN_URL: `${origin}/oauth/token`,
});
const proxyUrl = /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";

// Direct requests to the backend need an account's own credentials.
const { tokens } = JSON.parse(readFileSync(join(logins, "alice", "auth.json"), "utf8"));
const credentials = {
  authorization: `Bearer ${tokens.access_token}`,
  "chatgpt-account-id": tokens.account_id,
};
const sockets = new Map<string, ReturnType<typeof createSocketClient>>();

const LOADS: readonly Load[] = [
  {
    name: "GET models (small JSON)",
    requests: 10_000,
    concurrency: 32,
    once: async (url) =>
      (await fetch(`${url}/backend-api/codex/models`, { headers: credentials })).arrayBuffer(),
  },
  {
    name: "turn over SSE (11 events)",
    requests: 4_000,
    concurrency: 32,
    once: (url, worker) => createSseClient(url, `w${worker}`, credentials).turn("hello"),
  },
  {
    name: "turn over an open WebSocket (13 messages)",
    requests: 4_000,
    concurrency: 32,
    once: (url, worker) => {
      const key = `${url} ${worker}`;
      const client = sockets.get(key) ?? createSocketClient(url, `w${worker}`, credentials);
      sockets.set(key, client);
      return client.turn("hello");
    },
  },
];

const run = (load: Load, url: string, requests: number) => measure(load, url, requests, proxy.pid);

for (const load of LOADS) {
  const rounds: { direct: Round; proxied: Round }[] = [];
  await run(load, origin, 500);
  await run(load, proxyUrl, 500);
  for (let round = 0; round < ROUNDS; round++)
    rounds.push({
      direct: await run(load, origin, load.requests),
      proxied: await run(load, proxyUrl, load.requests),
    });
  const middle = (side: "direct" | "proxied", key: keyof Round) =>
    median(rounds.map((round) => round[side][key]));
  console.log(`${load.name}, ${load.concurrency} at a time, median of ${ROUNDS} rounds of ${load.requests}`);
  console.log(
    `  direct   ${middle("direct", "perSecond").toFixed(0)}/s  p50 ${middle("direct", "p50Ms").toFixed(2)} ms  p99 ${middle("direct", "p99Ms").toFixed(2)} ms`,
  );
  console.log(
    `  proxied  ${middle("proxied", "perSecond").toFixed(0)}/s  p50 ${middle("proxied", "p50Ms").toFixed(2)} ms  p99 ${middle("proxied", "p99Ms").toFixed(2)} ms  CPU of the proxy per 10,000: ${middle("proxied", "cpuPer10k").toFixed(2)} s`,
  );
}
const alone: Load = { ...LOADS[0]!, name: "alone", concurrency: 1, requests: 2_000 };
const direct = median(await repeat(async () => (await run(alone, origin, alone.requests)).p50Ms));
const proxied = median(await repeat(async () => (await run(alone, proxyUrl, alone.requests)).p50Ms));
console.log(
  `latency added to one request at a time: p50 ${(proxied - direct).toFixed(2)} ms (${direct.toFixed(2)} -> ${proxied.toFixed(2)})`,
);
console.log(`memory of the proxy afterwards: ${residentMiB(proxy.pid).toFixed(0)} MiB`);
for (const client of sockets.values()) client.close();
await proxy.stop();
await measureAbort();
await mock.stop();

/** Measures how long a client's abort takes to end the request at the backend, through the proxy. */
async function measureAbort(): Promise<void> {
  let started = () => {};
  let ended = (_atMs: number) => {};
  const silent = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: (request) => {
      if (!request.url.endsWith("/codex/responses")) return new Response(null, { status: 404 });
      request.signal.addEventListener("abort", () => ended(performance.now()));
      started();
      return new Promise<Response>(() => {});
    },
  });
  const upstream = `http://127.0.0.1:${silent.port}/backend-api`;
  const between = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream]);
  const url = /listening on (http:\S+)/.exec(between.firstLine)?.[1] ?? "";
  const delays: number[] = [];
  for (let count = 0; count < 50; count++) {
    const leaving = new AbortController();
    const isStarted = new Promise<void>((resolve) => {
      started = resolve;
    });
    const isEnded = new Promise<number>((resolve) => {
      ended = resolve;
    });
    const request = fetch(`${url}/backend-api/codex/responses`, {
      method: "POST",
      body: "{}",
      signal: leaving.signal,
    });
    const gone = request.catch(() => {});
    await isStarted;
    const leftMs = performance.now();
    leaving.abort();
    delays.push((await isEnded) - leftMs);
    await gone;
  }
  console.log(
    `a client's abort ends the backend's request after: median ${median(delays).toFixed(2)} ms, longest ${Math.max(...delays).toFixed(2)} ms`,
  );
  await between.stop();
  await silent.stop(true);
}

async function repeat(measure: () => Promise<number>): Promise<number[]> {
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) figures.push(await measure());
  return figures;
}
