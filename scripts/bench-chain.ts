// Measures the cost of a hop: the same load, in turns, through one proxy, a chain of two and a chain of three. Prints
// the latency of one request at a time, and the CPU seconds of all proxies together.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createSocketClient, createSseClient } from "../src/mock/client.ts";
import { executable } from "../test/support/executable.ts";
import { cpuSeconds, type Load, measure, median } from "./measure.ts";

const ROUNDS = 5;
const DEPTH = 3;

using tool = executable();
const logins = join(tool.directory, "logins");
mkdirSync(logins);
const mock = await tool.start(["mock", "--port", "0", "--accounts", "alice:100000000", "--homes", logins]);
const backend = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
const token = { CODEXLB_TOKEN_URL: `${new URL(backend).origin}/oauth/token` };

/** A chain of proxies. The last one has the account, and each of the others has the next one as its child. */
const proxies: { readonly url: string; readonly pid: number; stop(): Promise<unknown> }[] = [];
for (let hop = 0; hop < DEPTH; hop++) {
  const root = join(tool.directory, `hop${hop}`);
  const behind = proxies[0];
  if (behind === undefined)
    await tool.run(["account", "import", "--root", root, "--from", join(logins, "alice"), "alice"]);
  const more: Record<string, string> = behind === undefined ? {} : { CODEXLB_CHILD_PROXY_URLS: behind.url };
  const running = await tool.start(
    ["proxy", "--root", root, "--listen", "127.0.0.1:0", "--upstream", backend],
    { ...token, ...more },
  );
  const url = /listening on (http:\S+)/.exec(running.firstLine)?.[1] ?? "";
  proxies.unshift({ url, pid: running.pid, stop: running.stop });
}
/** The front proxies of the chains of one, two and three. */
const entries = [...proxies].reverse();

const sockets = new Map<string, ReturnType<typeof createSocketClient>>();
const LOADS: readonly Load[] = [
  {
    name: "turns over SSE",
    requests: 2_000,
    concurrency: 16,
    once: (url, worker) => createSseClient(url, `w${worker}`).turn("hello"),
  },
  {
    name: "turns over open WebSockets",
    requests: 2_000,
    concurrency: 16,
    once: (url, worker) => {
      const key = `${url} ${worker}`;
      const client = sockets.get(key) ?? createSocketClient(url, `w${worker}`);
      sockets.set(key, client);
      return client.turn("hello");
    },
  },
];

// Check that every chain works before measuring it.
for (const { url } of entries)
  for (const load of LOADS) if (!String(await load.once(url, 99)).includes("alice")) throw new Error(url);

for (const load of LOADS) {
  console.log(`\n${load.name}`);
  console.log("hops  alone p50   p99      CPU of all, per 10,000   requests/s at 16 a time");
  const rows = entries.map(() => ({
    p50: [] as number[],
    p99: [] as number[],
    cpu: [] as number[],
    rate: [] as number[],
  }));
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, { url, pid }] of entries.entries()) {
      const row = rows[index];
      if (row === undefined) continue;
      const one = await measure({ ...load, concurrency: 1 }, url, load.requests / 10, pid);
      const pids = entries.slice(0, index + 1).map((entry) => entry.pid);
      const before = pids.map(cpuSeconds);
      const many = await measure(load, url, load.requests, pid);
      const cpu = pids.map(cpuSeconds).reduce((sum, now, at) => sum + now - (before[at] ?? 0), 0);
      row.p50.push(one.p50Ms);
      row.p99.push(one.p99Ms);
      row.rate.push(many.perSecond);
      row.cpu.push((cpu / load.requests) * 10_000);
    }
  for (const [index, row] of rows.entries())
    console.log(
      `${String(index + 1).padEnd(5)} ${median(row.p50).toFixed(2).padStart(6)} ms ${median(row.p99).toFixed(2).padStart(8)} ms ${median(row.cpu).toFixed(2).padStart(10)} s ${Math.round(median(row.rate)).toLocaleString("en").padStart(22)}`,
    );
  const added = (index: number) => median(rows[index]?.p50 ?? []) - median(rows[index - 1]?.p50 ?? []);
  const cost = (index: number) => median(rows[index]?.cpu ?? []) - median(rows[index - 1]?.cpu ?? []);
  console.log(
    `the second hop: +${added(1).toFixed(2)} ms p50, +${cost(1).toFixed(2)} CPU-s per 10,000; the third: +${added(2).toFixed(2)} ms, +${cost(2).toFixed(2)} CPU-s`,
  );
}
for (const client of sockets.values()) client.close();
for (const proxy of proxies) await proxy.stop();
await mock.stop();
