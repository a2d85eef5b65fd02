// `make soak`: sends mixed traffic through the executable for some minutes, with aborts, faults, limits, reloads and
// changes of pins and keys. Prints memory and descriptors every minute. Fails unless both stay flat once they have
// settled, every request in the event log ends exactly once, and no request stays under way.

import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { remoteAccounts, remoteKeys, remoteStatus } from "../src/admin/client.ts";
import { socketDoor } from "../src/admin/door.ts";
import { parseJson } from "../src/core/json.ts";
import { systemDeps } from "../src/deps.ts";
import { startMock } from "../src/mock/backend.ts";
import { createSocketClient, createSseClient, type TurnClient } from "../src/mock/client.ts";
import type { FaultInput } from "../src/mock/faults.ts";
import { layoutOf } from "../src/state/layout.ts";
import { readLogLines } from "../src/state/log-parts.ts";
import { executable } from "../test/support/executable.ts";
import { until } from "../test/support/pool.ts";
import { residentKib } from "./bench/process-figures.ts";
import { median } from "./bench/statistics.ts";

const minutes = Number(process.argv[2] ?? 10);
if (!(minutes > 0)) throw new Error("usage: bun scripts/soak.ts [MINUTES]");

const ALIASES = ["alice", "bob", "carol", "dave"];
const WORKERS = 6;
/** Limits the length of a conversation, because a history that grows forever would look like a leak. */
const TURNS_OF_SESSION = 12;
/** The first part of the run, which does not count because heap and buffers are still growing. */
const SETTLING = 1 / 3;
const MOST_GROWTH_MIB = 24;
const MOST_MORE_DESCRIPTORS = 24;

const mock = startMock({
  accounts: ALIASES.map((alias) => ({ alias, turns: 1_000_000_000 })),
  clock: systemDeps().clock,
});
using tool = executable();
const layout = layoutOf(tool.root);
for (const alias of ALIASES) {
  const home = join(tool.directory, alias);
  await Bun.write(join(home, "auth.json"), mock.authFile(alias));
  const ran = await tool.run(["account", "import", "--from", home, alias]);
  if (ran.code !== 0) throw new Error(ran.err);
}
const proxy = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl], {
  CODEXLB_TOKEN_URL: mock.tokenUrl,
});
const url = /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
const door = socketDoor(layout.adminSocket);
const accounts = remoteAccounts(door);
const keys = remoteKeys(door);
const clientKey = await keys.add("soak", "client");
const asClient = { authorization: `Bearer ${clientKey}` };

const endMs = Date.now() + minutes * 60_000;
const isOver = () => Date.now() >= endMs;
const chance = (share: number) => Math.random() < share;
const oneOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;
const pause = (ms: number) => Bun.sleep(Math.random() * ms);

/** How the clients' turns ended. */
const turns = { served: 0, failed: 0, aborted: 0 };
const count = (what: keyof typeof turns) => {
  turns[what]++;
};

async function converse(worker: number): Promise<void> {
  for (let session = 0; !isOver(); session++) {
    const create = worker % 2 === 0 ? createSseClient : createSocketClient;
    const client: TurnClient = create(url, `soak-${worker}-${session}`, asClient);
    for (let turn = 0; turn < TURNS_OF_SESSION && !isOver(); turn++) {
      await client.turn("hello").then(
        () => count("served"),
        () => count("failed"),
      );
      await pause(20);
    }
    client.close();
  }
}

/** Sends requests that the client aborts before, during or after the response. */
async function abortRequests(): Promise<void> {
  while (!isOver()) {
    const abort = new AbortController();
    const request = fetch(`${url}/backend-api/codex/responses`, {
      method: "POST",
      headers: asClient,
      body: JSON.stringify({ model: "m", stream: true, input: ["x".repeat(Math.random() * 200_000)] }),
      signal: abort.signal,
    }).then((response) => response.text());
    setTimeout(() => abort.abort(), Math.random() * 20);
    await request.then(
      () => count("served"),
      () => count("aborted"),
    );
    await pause(30);
  }
}

const FAULTS: readonly (() => FaultInput)[] = [
  () => ({ on: "turn", times: 3, answer: { status: 500 } }),
  () => ({ on: "turn", times: 1, answer: { status: 401 } }),
  () => ({ on: "sse", times: 2, cutAfter: 3, end: "reset" }),
  () => ({ on: "message", times: 2, cutAfter: 1, end: "close" }),
  () => ({ on: "upgrade", times: 2, answer: { status: 503 } }),
  () => ({ on: "turn", times: 1, reset: true }),
  () => ({ on: "usage", times: 5, answer: { status: 500 } }),
  () => ({
    on: "turn",
    account: oneOf(ALIASES),
    times: 1,
    answer: {
      status: 429,
      body: {
        error: {
          type: "usage_limit_reached",
          message: "limit",
          resets_at: Math.floor(Date.now() / 1000) + 5,
        },
      },
    },
  }),
];

async function injectFaults(): Promise<void> {
  while (!isOver()) {
    mock.faults.add(oneOf(FAULTS)());
    await pause(400);
    if (chance(0.2)) mock.faults.clear();
  }
}

/** Makes the changes that a user makes while the proxy runs. Returns their number. */
async function operate(): Promise<number> {
  let done = 0;
  for (; !isOver(); done++) {
    const alias = oneOf(ALIASES);
    const step = done % 6;
    if (step === 0) await accounts.pin(alias);
    if (step === 1) await accounts.unpin();
    if (step === 2) await accounts.serve(alias, oneOf(["drain", "disable", "enable"]));
    if (step === 3) for (const one of ALIASES) await accounts.serve(one, "enable");
    if (step === 4)
      writeFileSync(
        layout.config,
        `[proxy]\nname = "soak"\nclient_auth = ${chance(0.5)}\n[policy]\nmode = "${oneOf(["usage_balanced", "round_robin", "sticky", "reset_aware"])}"\n`,
      );
    if (step === 5) {
      const key = await keys.add("passing", "client");
      await fetch(`${url}/backend-api/codex/models`, { headers: { authorization: `Bearer ${key}` } });
      await keys.remove("passing");
    }
    await pause(500);
  }
  return done;
}

/** Reads the event log from its beginning: the requests, and how many times each of them ended. */
const requests = new Map<number, number>();
const ENDS = new Set([
  "request.completed",
  "request.failed",
  "request.canceled",
  "websocket.completed",
  "websocket.failed",
]);
let offset = 0;
function readLog(): void {
  for (;;) {
    const { text, nextOffset } = readLogLines(layout.events, { offset, tail: 1, limit: 2_000 });
    const lines = text.split("\n").filter((line) => line !== "");
    for (const line of lines) {
      const { event, fields } = parseJson(line) as { event: string; fields?: { req_id?: number } };
      const id = fields?.req_id;
      if (id === undefined) continue;
      if (event === "request.received") requests.set(id, 0);
      else if (ENDS.has(event)) requests.set(id, (requests.get(id) ?? Number.NaN) + 1);
    }
    if (lines.length === 0) return;
    offset = nextOffset;
  }
}

interface Sample {
  readonly atMs: number;
  readonly rssMiB: number;
  readonly descriptors: number;
}
const samples: Sample[] = [];
async function watch(): Promise<void> {
  const everyMs = Math.min(60_000, (minutes * 60_000) / 12);
  while (!isOver()) {
    await Bun.sleep(Math.min(everyMs, Math.max(0, endMs - Date.now())));
    readLog();
    const sample = {
      atMs: Date.now(),
      rssMiB: residentKib(proxy.pid) / 1024,
      descriptors: readdirSync(`/proc/${proxy.pid}/fd`).length,
    };
    samples.push(sample);
    const { served, failed, aborted } = turns;
    console.log(
      `${((sample.atMs - startedMs) / 60_000).toFixed(1).padStart(6)} min  ${sample.rssMiB.toFixed(0).padStart(4)} MiB  ${String(sample.descriptors).padStart(4)} descriptors  ${requests.size} requests; turns: ${served} served, ${failed} failed, ${aborted} aborted`,
    );
  }
}

const startedMs = Date.now();
console.log(
  `${minutes} minutes of mixed traffic, ${WORKERS} conversations at a time, ${ALIASES.length} accounts`,
);
const [changes] = await Promise.all([
  operate(),
  injectFaults(),
  abortRequests(),
  abortRequests(),
  watch(),
  ...Array.from({ length: WORKERS }, (_, worker) => converse(worker)),
]);

await until(
  "no request is under way",
  async () => (await remoteStatus(door)).accounts.every(({ in_flight }) => in_flight === 0),
  30_000,
);
const { err } = await proxy.stop();
await mock.stop();
readLog();

const settled = samples.slice(Math.ceil(samples.length * SETTLING));
const half = Math.ceil(settled.length / 2);
const growth = (of: (sample: Sample) => number) =>
  median(settled.slice(half).map(of)) - median(settled.slice(0, half).map(of));
const unended = [...requests].filter(([, ends]) => ends !== 1);
const problems = [
  ...(growth(({ rssMiB }) => rssMiB) > MOST_GROWTH_MIB
    ? [`memory grew by ${growth(({ rssMiB }) => rssMiB).toFixed(0)} MiB after settling`]
    : []),
  ...(growth(({ descriptors }) => descriptors) > MOST_MORE_DESCRIPTORS
    ? [`descriptors grew by ${growth(({ descriptors }) => descriptors)} after settling`]
    : []),
  ...(unended.length > 0
    ? [
        `${unended.length} requests did not end exactly once, for example ${JSON.stringify(unended.slice(0, 5))}`,
      ]
    : []),
  ...(turns.served < 100 ? [`only ${turns.served} turns were served`] : []),
  ...(err.includes("this should not happen") ? [`the proxy reported: ${err}`] : []),
];
console.log(
  `${requests.size} requests, each ended exactly once: ${unended.length === 0 ? "yes" : "no"}; ${changes} changes by the user`,
);
for (const problem of problems) console.log(`FAILED: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
