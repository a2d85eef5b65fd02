// Every turn that begins ends with exactly one record, whichever way it ends, on both transports.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { remoteUsage } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createSocketClient, createSseClient, type TurnClient } from "../../src/mock/client.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { limitBody, startPool, type TestPool } from "../support/pool.ts";
import { type RecordedTurn, recordedTurns } from "../support/recorded-turns.ts";

const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
const CREATED = { type: "response.created", response: { id: "resp_1", status: "in_progress", output: [] } };
const OUTPUT = { type: "response.output_text.delta", delta: "x" };
const USAGE = {
  input_tokens: 1_234,
  input_tokens_details: { cached_tokens: 1_000 },
  output_tokens: 56,
  output_tokens_details: { reasoning_tokens: 7 },
};
const LIMIT = { type: "error", status: 429, error: limitBody(RESET_S) };

type Transport = "sse" | "websocket";

interface Case {
  readonly name: string;
  readonly faults: readonly FaultInput[];
  readonly transports?: readonly Transport[];
  /** After the first output, the client disconnects, or the backend sends the rest. Default: the client sends a turn. */
  readonly afterOutput?: "leave" | "release";
  readonly record: Partial<RecordedTurn>;
}

const CASES: readonly Case[] = [
  {
    name: "a completed turn",
    faults: [
      {
        on: "turn",
        events: [
          CREATED,
          OUTPUT,
          {
            type: "response.completed",
            response: { id: "resp_1", model: "served", output: [], usage: USAGE },
          },
        ],
      },
    ],
    record: {
      kind: "turn",
      outcome: "completed",
      code: null,
      account: "alice",
      proxy: "tested",
      session: "s1",
      requested_model: "demo",
      served_model: "served",
      input_tokens: 1_234,
      cached_tokens: 1_000,
      output_tokens: 56,
      reasoning_tokens: 7,
      attempts: 1,
      switches: null,
    },
  },
  {
    name: "an incomplete turn",
    faults: [
      {
        on: "turn",
        events: [
          CREATED,
          OUTPUT,
          {
            type: "response.incomplete",
            response: { id: "resp_1", incomplete_details: { reason: "max_output_tokens" }, usage: USAGE },
          },
        ],
      },
    ],
    record: { outcome: "incomplete", code: "max_output_tokens", input_tokens: 1_234, output_tokens: 56 },
  },
  {
    name: "a turn that the backend refuses",
    faults: [
      {
        on: "turn",
        events: [CREATED, { type: "response.failed", response: { error: { code: "invalid_prompt" } } }],
      },
    ],
    record: { outcome: "failed", code: "invalid_prompt", input_tokens: null, first_output_ms: null },
  },
  {
    name: "a turn that fails after its first output",
    faults: [
      {
        on: "turn",
        times: 1,
        gateAfter: 2,
        events: [
          CREATED,
          OUTPUT,
          { type: "response.failed", response: { error: { code: "server_is_overloaded" } } },
        ],
      },
    ],
    afterOutput: "release",
    record: { outcome: "cut", code: "server_is_overloaded" },
  },
  {
    name: "an error response",
    faults: [{ on: "sse", answer: { status: 400, body: { error: { code: "bad_input", message: "no" } } } }],
    transports: ["sse"],
    record: { outcome: "failed", code: "bad_input" },
  },
  {
    name: "a response that breaks off",
    faults: [{ on: "turn", times: 1, events: [CREATED, OUTPUT], gateAfter: 2, end: "reset" }],
    afterOutput: "release",
    record: { outcome: "cut", account: "alice", output_tokens: null },
  },
  {
    name: "a client that disconnects",
    faults: [{ on: "turn", times: 1, events: [CREATED, OUTPUT], end: "hang" }],
    afterOutput: "leave",
    record: { outcome: "aborted", account: "alice", output_tokens: null },
  },
  {
    name: "a turn that no account can serve",
    faults: [{ on: "turn", events: [LIMIT] }],
    record: {
      outcome: "refused",
      account: null,
      proxy: null,
      choice: null,
      code: "usage_limit_reached",
      attempts: 2,
      switches: '[{"from":"alice","to":"bob","reason":"usage-limit"}]',
    },
  },
  {
    name: "a turn that another account completes",
    faults: [{ on: "turn", account: "alice", events: [CREATED, LIMIT] }],
    record: {
      outcome: "completed",
      account: "bob",
      attempts: 2,
      switches: '[{"from":"alice","to":"bob","reason":"usage-limit"}]',
    },
  },
];

const CLIENTS: Readonly<Record<Transport, (url: string, session: string) => TurnClient>> = {
  sse: createSseClient,
  websocket: createSocketClient,
};

/** Sends a turn, calls `then` after the first output, and waits for the end. `then` may disconnect the client. */
async function interrupt(
  transport: Transport,
  url: string,
  then: (leave: () => void) => void,
): Promise<void> {
  const path = "/backend-api/codex/responses";
  const request = { model: "demo", stream: true, input: [], prompt_cache_key: "s1" };
  if (transport === "sse") {
    const leaving = new AbortController();
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "session-id": "s1" },
      body: JSON.stringify(request),
      signal: leaving.signal,
    });
    const reader = response.body?.getReader();
    for (let text = ""; !text.includes("delta"); )
      text += new TextDecoder().decode((await reader?.read())?.value);
    then(() => leaving.abort());
    try {
      while ((await reader?.read())?.done === false);
    } catch {
      // The response broke off.
    }
    return;
  }
  const socket = new WebSocket(`${url.replace("http", "ws")}${path}`, { headers: { "session-id": "s1" } });
  await new Promise<void>((resolve) => {
    socket.on("open", () => socket.send(JSON.stringify({ type: "response.create", ...request })));
    socket.on("close", () => resolve());
    socket.on("message", (data: Buffer) => {
      if (data.toString().includes("delta")) then(() => socket.terminate());
    });
  });
}

/** Stops the proxy and returns its records. */
async function recordsOf(pool: TestPool): Promise<RecordedTurn[]> {
  await pool.stopAndReadEvents();
  return recordedTurns(pool.layout.usage);
}

const CONFIG = '[proxy]\nname = "tested"\n[policy]\nmode = "sticky"\n';

describe.each(["sse", "websocket"] as const)("over %s there is one record of", (transport) => {
  for (const { name, faults, transports, afterOutput, record } of CASES) {
    if (transports !== undefined && !transports.includes(transport)) continue;
    test(name, async () => {
      await using pool = await startPool({
        accounts: [{ alias: "alice" }, { alias: "bob" }],
        config: CONFIG,
      });
      pool.mock.faults.add(...faults);
      if (afterOutput !== undefined)
        await interrupt(transport, pool.url, (leave) =>
          afterOutput === "leave" ? leave() : pool.mock.faults.release(),
        );
      else {
        const client = CLIENTS[transport](pool.url, "s1");
        // Some cases end in an error of the client.
        await client.turn("hello").catch(() => {});
        client.close();
      }
      const records = await recordsOf(pool);
      expect(records).toMatchObject([{ transport, ...record }]);
    });
  }
});

test("a turn whose client reconnects to move to another account is one turn, with the part before as moved", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice", turns: 100 }, { alias: "bob" }],
    config: CONFIG,
  });
  const client = createSocketClient(pool.url, "s1");
  await client.turn("one");
  pool.mock.faults.add({ on: "message", account: "alice", events: [CREATED, LIMIT] });
  expect(await client.turn("two")).toBe("Hello from bob");
  client.close();
  const { total } = await remoteUsage(socketDoor(pool.layout.adminSocket), {
    sinceMs: 0,
    untilMs: 8.64e15,
    by: "day",
  });
  expect(total).toMatchObject({ turns: 2, failed: 0, input_tokens: 2_000 });
  const records = await recordsOf(pool);
  expect(records.length).toBe(3);
  const moved = records.find(({ outcome }) => outcome === "moved");
  const completed = records.find(({ account }) => account === "bob");
  expect(moved).toMatchObject({
    account: "alice",
    code: "usage_limit_reached",
    attempts: 1,
    input_tokens: null,
  });
  expect(completed).toMatchObject({
    outcome: "completed",
    started_ms: moved?.started_ms,
    attempts: 2,
    switches: '[{"from":"alice","to":"bob","reason":"usage-limit"}]',
    input_tokens: 1_000,
  });
});

test("a request that only prepares a WebSocket, and a compaction, have kinds of their own", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
  const metadata = JSON.stringify({ request_kind: "compaction", workspaces: { "/home/u/project": {} } });
  const client = createSseClient(pool.url, "s1", { "x-codex-turn-metadata": metadata });
  await client.turn("hello");
  const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`);
  await new Promise<void>((resolve) => {
    socket.on("open", () =>
      socket.send('{"type":"response.create","model":"m","generate":false,"input":[]}'),
    );
    socket.on("message", (data: Buffer) => {
      if (data.toString().includes("response.completed")) resolve();
    });
  });
  socket.terminate();
  expect(await recordsOf(pool)).toMatchObject([
    { kind: "compaction", project: "/home/u/project" },
    { kind: "prewarm", project: null, requested_model: "m" },
  ]);
});

test("a turn through a child proxy is recorded on both, and names the child on the first", async () => {
  await using child = await startPool({
    accounts: [{ alias: "alice" }],
    config: '[proxy]\nname = "child"\n',
  });
  await using front = await startPool({
    accounts: [],
    config: `[proxy]\nname = "front"\nchild_proxy_urls = ["${child.url}"]\n`,
  });
  await createSseClient(front.url, "s1").turn("hello");
  expect(await recordsOf(front)).toMatchObject([
    { proxy: "child", account: null, outcome: "completed", input_tokens: 1_000 },
  ]);
  expect(await recordsOf(child)).toMatchObject([
    { proxy: "child", account: "alice", outcome: "completed", input_tokens: 1_000 },
  ]);
});

test("no turn is recorded while usage.enabled is false", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: "[usage]\nenabled = false\n",
  });
  await createSseClient(pool.url, "s1").turn("hello");
  expect(await recordsOf(pool)).toEqual([]);
});

test("hostile names are recorded as short lines", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
  const name = `\u001b]0;evil\u0007\u202e'; DROP TABLE turns; --${"x".repeat(10_000)}`;
  const metadata = JSON.stringify({ workspaces: { [name]: {} } });
  const body = JSON.stringify({ model: name, stream: true, input: [], prompt_cache_key: name });
  const response = await fetch(`${pool.url}/backend-api/codex/responses`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-codex-turn-metadata": metadata.replaceAll("\u202e", "\\u202e"),
    },
    body,
  });
  await response.text();
  const [record] = await recordsOf(pool);
  for (const text of [record?.project, record?.requested_model, record?.session].filter(
    (value) => value !== null,
  )) {
    expect(String(text).length).toBeLessThan(320);
    expect(String(text)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
  expect(record?.project).toContain("DROP TABLE turns");
});
