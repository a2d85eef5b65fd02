// Tests the traces of turns: of a proxy in this process, and of the executable.

import { describe, expect, test } from "bun:test";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { type CollectedSpan, startCollector } from "../support/collector.ts";
import { executable } from "../support/executable.ts";
import { enrol, limitBody, startPool, until } from "../support/pool.ts";
import { samplesIn, scrape, sumOf } from "../support/scrape.ts";

const LIMIT = { type: "error", status: 429, error: limitBody(Math.floor(Date.now() / 1000) + 3_600) };
const CLIENTS = { sse: createSseClient, websocket: createSocketClient } as const;

/** The spans of one trace: that of the turn first. */
function traceOf(spans: readonly CollectedSpan[]): {
  readonly turn: CollectedSpan;
  readonly attempts: CollectedSpan[];
} {
  const [turn, ...attempts] = spans.toSorted((a, b) => a.kind - b.kind);
  if (turn === undefined) throw new Error("there are no spans");
  return { turn, attempts };
}

describe.each(["sse", "websocket"] as const)("a turn over %s", (transport) => {
  test("becomes a span with a child for each attempt, without its content, session and login", async () => {
    await using collector = startCollector();
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob@example.com" }],
      config: '[proxy]\nname = "tested"\n[policy]\nmode = "sticky"\n',
      env: () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "lb" }),
    });
    pool.mock.faults.add({ on: "turn", account: "alice", events: [LIMIT] });
    const client = CLIENTS[transport](pool.url, "canary-session");
    await client.turn("canary-content", "demo");
    client.close();
    await pool.daemon.stop("test");
    const { turn, attempts } = traceOf(collector.spans());
    expect(turn).toMatchObject({
      name: "chat demo",
      kind: 2,
      status: { code: 0 },
      events: [{ name: "first output" }],
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "demo",
        "gen_ai.usage.input_tokens": 1_000,
        "codexlb.turn.outcome": "completed",
        "codexlb.turn.transport": transport,
        "codexlb.turn.attempts": 2,
        "codexlb.account": expect.stringMatching(/^b\*\*\*-/),
        "codexlb.proxy": "tested",
      },
    });
    expect(turn.parentSpanId).toBeUndefined();
    expect(
      attempts.map(({ attributes, status }) => [attributes["codexlb.attempt.result"], status.code]),
    ).toEqual([
      ["limit", 2],
      ["served", 0],
    ]);
    for (const { traceId, parentSpanId, startTimeUnixNano, endTimeUnixNano } of attempts) {
      expect([traceId, parentSpanId]).toEqual([turn.traceId, turn.spanId]);
      expect(startTimeUnixNano >= turn.startTimeUnixNano && endTimeUnixNano <= turn.endTimeUnixNano).toBe(
        true,
      );
    }
    expect(new Set([turn, ...attempts].map(({ spanId }) => spanId)).size).toBe(3);
    expect(collector.requests[0]?.resource).toMatchObject({
      "service.name": "lb",
      "codexlb.proxy": "tested",
    });
    for (const word of ["canary", "example.com", pool.layout.root])
      expect(collector.text()).not.toContain(word);
  });

  test("that fails has the status of an error", async () => {
    await using collector = startCollector();
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      env: () => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/own` }),
    });
    pool.mock.faults.add({ on: "turn", events: [LIMIT] });
    const client = CLIENTS[transport](pool.url, "s1");
    await client.turn("hello").catch(() => {});
    client.close();
    await pool.daemon.stop("test");
    const { turn } = traceOf(collector.spans());
    expect([turn.status.code, turn.attributes["error.type"]]).toEqual([2, "usage_limit_reached"]);
    expect(collector.requests[0]?.path).toBe("/own");
  });
});

const PARENT = { traceId: "3f4e41fa9ba19d41f45b8e1588cf6eca", spanId: "3a85eb7d6577fac5" };

test.each([
  ["01", 1],
  ["00", 0],
])("a turn belongs to the trace that Codex names (flags %s)", async (flags, traced) => {
  await using collector = startCollector();
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    env: () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }),
  });
  const traceparent = `00-${PARENT.traceId}-${PARENT.spanId}-${flags}`;
  await createSseClient(pool.url, "s1", { traceparent }).turn("hello");
  const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`);
  await new Promise<void>((resolve) => {
    socket.onopen = () =>
      socket.send(
        JSON.stringify({
          type: "response.create",
          model: "demo",
          input: [],
          client_metadata: { ws_request_header_traceparent: traceparent },
        }),
      );
    socket.onmessage = ({ data }) => {
      if (String(data).includes("response.completed")) resolve();
    };
  });
  socket.close();
  await pool.daemon.stop("test");
  const turns = collector.spans().filter(({ kind }) => kind === 2);
  expect(turns.map(({ traceId, parentSpanId }) => [traceId, parentSpanId])).toEqual(
    Array.from({ length: 2 * traced }, () => [PARENT.traceId, PARENT.spanId]),
  );
});

test("the executable sends traces, counts them, and works as before without a collector", async () => {
  await using collector = startCollector();
  using tool = executable();
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  enrol(layoutOf(tool.root), "alice", mock.authFile("alice"));
  const start = (env: Record<string, string>) =>
    tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl], {
      CODEXLB_TOKEN_URL: mock.tokenUrl,
      ...env,
    });
  const turnThrough = async (url: string) => {
    expect(await createSseClient(url, "s1").turn("hello")).toBe("Hello from alice");
    return samplesIn(await scrape(url, (await Bun.file(layoutOf(tool.root).adminToken).text()).trim()));
  };
  const traced = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const url = /listening on (http:\S+)/.exec(traced.firstLine)?.[1] ?? "";
  expect(sumOf(await turnThrough(url), "codexlb_trace_spans_total", { result: "dropped" })).toBe(0);
  await traced.stop();
  expect(collector.spans().map(({ name }) => name)).toEqual(["chat demo", "attempt"]);

  const plain = await start({});
  const plainUrl = /listening on (http:\S+)/.exec(plain.firstLine)?.[1] ?? "";
  expect((await turnThrough(plainUrl)).filter(({ name }) => name === "codexlb_trace_spans_total")).toEqual(
    [],
  );
  const { err } = await plain.stop();
  expect(err).not.toContain("traces");
  await mock.stop();
  await until("no more spans arrived", () => collector.spans().length === 2);
});
