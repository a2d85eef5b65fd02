// Measures how much CPU time a request costs with many accounts: two proxies, one with 2 accounts and one with 1,000,
// in front of one simulated backend, under the same load in turns. Fails if 1,000 accounts cost over 20 % more CPU
// time.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSocketClient, createSseClient } from "../src/mock/client.ts";
import { executable } from "../test/support/executable.ts";
import { type Load, measure, median, type Round, residentMiB } from "./measure.ts";

const FEW = 2;
const MANY = 1_000;
const ROUNDS = 7;
/** How much more CPU time a request may cost with many accounts than with few. */
const MOST_MORE = 0.2;

const names = Array.from({ length: MANY }, (_, index) => `a${String(index).padStart(4, "0")}`);

using tool = executable();
const logins = join(tool.directory, "logins");
mkdirSync(logins);
const mock = await tool.start([
  "mock",
  "--port",
  "0",
  "--accounts",
  names.map((name) => `${name}:100000000`).join(","),
  "--homes",
  logins,
]);
const backend = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
const origin = new URL(backend).origin;

const few = await startProxy(FEW);
const many = await startProxy(MANY);
const sockets = new Map<string, ReturnType<typeof createSocketClient>>();
let fresh = 0;

const LOADS: readonly Load[] = [
  {
    name: "turns over SSE, sessions with an account",
    requests: 3_000,
    concurrency: 32,
    once: (url, worker) => createSseClient(url, `w${worker}`).turn("hello"),
  },
  {
    name: "turns over SSE, each a new session",
    requests: 3_000,
    concurrency: 32,
    once: (url) => createSseClient(url, `n${++fresh}`).turn("hello"),
  },
  {
    name: "turns over open WebSockets",
    requests: 3_000,
    concurrency: 32,
    once: (url, worker) => {
      const key = `${url} ${worker}`;
      const client = sockets.get(key) ?? createSocketClient(url, `w${worker}`);
      sockets.set(key, client);
      return client.turn("hello");
    },
  },
];

let failed = false;
for (const load of LOADS) {
  const rounds: { few: Round; many: Round }[] = [];
  for (const proxy of [few, many]) await measure(load, proxy.url, 500, proxy.pid);
  for (let round = 0; round < ROUNDS; round++)
    rounds.push({
      few: await measure(load, few.url, load.requests, few.pid),
      many: await measure(load, many.url, load.requests, many.pid),
    });
  const cpu = (side: "few" | "many") => median(rounds.map((round) => round[side].cpuPer10k));
  const more = cpu("many") / cpu("few") - 1;
  failed ||= more > MOST_MORE;
  console.log(
    `${load.name}: CPU of the proxy per 10,000 with ${FEW} accounts ${cpu("few").toFixed(2)} s, with ${MANY} ${cpu("many").toFixed(2)} s (${(more * 100).toFixed(0)} % more)`,
  );
}
console.log(
  `memory afterwards: ${residentMiB(few.pid).toFixed(0)} MiB with ${FEW} accounts, ${residentMiB(many.pid).toFixed(0)} MiB with ${MANY}`,
);
for (const client of sockets.values()) client.close();
for (const proxy of [few, many]) await proxy.stop();
await mock.stop();
if (failed) {
  console.error(`the many cost more than ${MOST_MORE * 100} % more`);
  process.exit(1);
}

async function startProxy(count: number) {
  const root = join(tool.directory, `root-${count}`);
  mkdirSync(join(root, "accounts"), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, "config.toml"), '[proxy]\nname = "p"\n');
  for (const name of names.slice(0, count)) {
    const home = join(root, "accounts", name);
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, "auth.json"), await Bun.file(join(logins, name, "auth.json")).text(), {
      mode: 0o600,
    });
  }
  const proxy = await tool.start(
    ["proxy", "--root", root, "--listen", "127.0.0.1:0", "--upstream", backend],
    {
      CODEXLB_TOKEN_URL: `${origin}/oauth/token`,
    },
  );
  return { ...proxy, url: /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "" };
}
