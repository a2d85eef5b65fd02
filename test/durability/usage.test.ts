// The record of turns agrees with what the backend itself reported, and a killed proxy loses only the last moment.

import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { enrol, startPool } from "../support/pool.ts";
import { recordedTurns } from "../support/recorded-turns.ts";
import { tempDirectory } from "../support/temp.ts";

/** How many turns the test of the sums sends in each of its two long phases. */
const TURNS = Number(process.env.CODEXLB_TEST_USAGE_TURNS ?? 1_000);
const CLIENTS = 8;
const ABORTED = 40;

const CREATED = { type: "response.created", response: { id: "resp_1", status: "in_progress", output: [] } };
const OUTPUT = { type: "response.output_text.delta", delta: "x" };

/** An event with a report of its own, so that equal sums cannot be a coincidence. */
function ended(type: "response.completed" | "response.incomplete", serial: number) {
  return {
    type,
    response: {
      id: `resp_${serial}`,
      model: "demo",
      output: [],
      usage: {
        input_tokens: 10_000 + serial,
        input_tokens_details: { cached_tokens: 5_000 + serial },
        output_tokens: 100 + serial,
        output_tokens_details: { reasoning_tokens: serial },
      },
    },
  };
}

test(`the sums of ${2 * TURNS} mixed turns and ${2 * ABORTED} aborted ones are the backend's own`, async () => {
  await using pool = await startPool({
    accounts: [
      { alias: "alice", turns: 10 * TURNS },
      { alias: "bob", turns: 10 * TURNS },
      { alias: "carol", turns: TURNS / 4 },
    ],
    config: '[policy]\nmode = "round_robin"\n[proxy]\ncooldown_default_seconds = 1\n',
  });
  const { faults } = pool.mock;
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    (index % 2 === 0 ? createSseClient : createSocketClient)(pool.url, `session ${index}`),
  );
  const send = async (turns: number): Promise<void> => {
    let left = turns;
    await Promise.all(
      clients.map(async (client) => {
        // A client learns of some failures; the record counts them, too.
        while (left-- > 0) await client.turn("hello").catch(() => {});
      }),
    );
  };
  for (let serial = 1; serial <= TURNS / 20; serial++)
    faults.add(
      { on: "turn", skip: 5, times: 1, events: [CREATED, OUTPUT, ended("response.completed", serial)] },
      { on: "turn", skip: 5, times: 1, events: [CREATED, OUTPUT, ended("response.incomplete", serial)] },
      { on: "turn", skip: 5, times: 1, events: [CREATED, OUTPUT], end: "reset" },
      { on: "turn", skip: 5, times: 1, answer: { status: 503, body: { error: { message: "no" } } } },
      {
        on: "turn",
        skip: 5,
        times: 1,
        events: [CREATED, { type: "response.failed", response: { error: { code: "invalid_prompt" } } }],
      },
    );
  await send(TURNS);
  faults.clear();
  faults.add({ on: "turn", events: [CREATED, OUTPUT], end: "hang" });
  await Promise.all(Array.from({ length: ABORTED }, () => abortOverSse(pool.url)));
  await Promise.all(Array.from({ length: ABORTED }, () => abortOverSocket(pool.url)));
  faults.clear();
  await send(TURNS);
  for (const client of clients) client.close();
  const sent = pool.mock.sentUsage();
  await pool.stopAndReadEvents();
  const records = recordedTurns(pool.layout.usage);
  const sum = (name: "input_tokens" | "cached_tokens" | "output_tokens" | "reasoning_tokens") =>
    records.reduce((total, record) => total + Number(record[name] ?? 0), 0);
  const outcomes: Record<string, number> = {};
  for (const { outcome } of records) outcomes[String(outcome)] = (outcomes[String(outcome)] ?? 0) + 1;
  console.log(`${records.length} records: ${JSON.stringify(outcomes)}; the backend: ${JSON.stringify(sent)}`);
  expect({
    responses: records.filter(({ output_tokens }) => output_tokens !== null).length,
    input: sum("input_tokens"),
    cachedInput: sum("cached_tokens"),
    output: sum("output_tokens"),
    reasoning: sum("reasoning_tokens"),
  }).toEqual(sent);
  expect(outcomes.aborted).toBe(2 * ABORTED);
  for (const outcome of ["completed", "incomplete", "failed", "cut"])
    expect([outcome, (outcomes[outcome] ?? 0) > 0]).toEqual([outcome, true]);
});

const PATH = "/backend-api/codex/responses";

async function abortOverSse(url: string): Promise<void> {
  const leaving = new AbortController();
  const response = await fetch(`${url}${PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "demo", stream: true, input: [] }),
    signal: leaving.signal,
  });
  const reader = response.body?.getReader();
  for (let text = ""; !text.includes("delta"); )
    text += new TextDecoder().decode((await reader?.read())?.value);
  leaving.abort();
}

function abortOverSocket(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}${PATH}`);
    socket.onopen = () => socket.send('{"type":"response.create","model":"demo","input":[]}');
    socket.onmessage = ({ data }) => {
      if (!String(data).includes("delta")) return;
      socket.close();
      resolve();
    };
  });
}

const ROUNDS = 5;
/** A killed proxy loses the turns that it has gathered: 250 ms, and more on a busy machine. */
const MOST_LOST_MS = 2_000;
const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

test(`a proxy that is killed ${ROUNDS} times loses only the turns of its last moment`, async () => {
  using temp = tempDirectory();
  const layout = layoutOf(join(temp.path, "r"));
  const mock = startMock({ accounts: [{ alias: "alice", turns: 1_000_000 }], clock: systemDeps().clock });
  mkdirSync(layout.root);
  writeFileSync(layout.config, "");
  enrol(layout, "alice", mock.authFile("alice"));
  /** When a client got the end of each turn, Unix ms. */
  const ends: number[] = [];
  let lost = 0;
  let longestMs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const proxy = Bun.spawn(
      [process.execPath, MAIN, "proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl],
      {
        env: {
          PATH: process.env.PATH ?? "",
          HOME: temp.path,
          CODEXLB_ROOT: layout.root,
          CODEXLB_TOKEN_URL: mock.tokenUrl,
          BUN_CONFIG_MAX_HTTP_REQUESTS: "1000",
        },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      },
    );
    let line = "";
    for await (const chunk of proxy.stdout) {
      line += new TextDecoder().decode(chunk);
      if (line.includes("\n")) break;
    }
    const url = /http:\/\/[\d.:]+/.exec(line)?.[0] ?? "";
    const before = recordedTurns(layout.usage).length;
    const endsBefore = ends.length;
    // Kills the proxy in the middle of its work, once turns of this round are on disk.
    const load = Array.from({ length: 4 }, async (_, index) => {
      const client = createSseClient(url, `session ${index}`);
      try {
        for (;;) {
          await client.turn("hello");
          ends.push(Date.now());
          if (recordedTurns(layout.usage).length > before + 20) break;
        }
      } catch {
        // The proxy was killed.
      }
    });
    await Promise.race(load);
    proxy.kill("SIGKILL");
    const killedMs = Date.now();
    await Promise.all([proxy.exited, ...load]);
    const recorded = recordedTurns(layout.usage).length - before;
    const finished = ends.slice(endsBefore);
    const missing = finished.length - recorded;
    if (missing > 0) {
      lost += missing;
      longestMs = Math.max(longestMs, killedMs - (finished.at(-missing) ?? killedMs));
    }
  }
  await mock.stop();
  console.log(`${ends.length} turns, ${lost} of them lost; the oldest ended ${longestMs} ms before the kill`);
  expect(recordedTurns(layout.usage).length).toBeGreaterThan(20 * ROUNDS);
  expect(longestMs).toBeLessThan(MOST_LOST_MS);
});
