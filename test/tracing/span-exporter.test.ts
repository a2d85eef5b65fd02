import { expect, test } from "bun:test";
import { createOutbound } from "../../src/network/egress.ts";
import { attributesOf, type Span, unixNano } from "../../src/tracing/span.ts";
import {
  createSpanExporter,
  GATHER_MS,
  LONGEST_RETRY_MS,
  MOST_AT_ONCE,
  MOST_WAITING,
} from "../../src/tracing/span-exporter.ts";
import { fakeClock } from "../support/clock.ts";
import { type Collector, startCollector } from "../support/collector.ts";
import { until } from "../support/pool.ts";

const NOW = Date.UTC(2026, 0, 1);
const span = (name: string): Span => ({
  traceId: "1".repeat(32),
  spanId: "2".repeat(16),
  name,
  kind: 2,
  startTimeUnixNano: unixNano(NOW),
  endTimeUnixNano: unixNano(NOW + 1),
  attributes: attributesOf({ text: "x", number: 5, absent: undefined }),
  status: { code: 0 },
});
const spans = (count: number) => Array.from({ length: count }, (_, index) => span(String(index)));

function exporterTo(collector: Pick<Collector, "url">, path = "/v1/traces") {
  const clock = fakeClock();
  const logged: string[] = [];
  const log = {
    info: (text: string) => void logged.push(text),
    warn: (text: string) => void logged.push(text),
  };
  const exporter = createSpanExporter({
    deps: { clock, log },
    outbound: createOutbound({ env: {} }),
    settings: {
      url: `${collector.url}${path}`,
      headers: { authorization: "Bearer secret" },
      timeoutMs: 5_000,
      resource: { "service.name": "codexlb" },
    },
  });
  return { exporter, clock, logged };
}

test("spans are gathered, and sent with the headers and the attributes of the process", async () => {
  await using collector = startCollector();
  const { exporter, clock } = exporterTo(collector);
  exporter.add([span("one")]);
  exporter.add([span("two")]);
  clock.advance(GATHER_MS - 1);
  expect(collector.requests).toEqual([]);
  clock.advance(1);
  await until("they were sent", () => exporter.counts().sent === 2);
  const [request] = collector.requests;
  expect(request?.path).toBe("/v1/traces");
  expect(request?.headers.get("authorization")).toBe("Bearer secret");
  expect(request?.headers.get("content-type")).toBe("application/json");
  expect(request?.resource).toEqual({ "service.name": "codexlb" });
  expect(request?.spans.map(({ name }) => name)).toEqual(["one", "two"]);
  expect(request?.spans[0]?.attributes).toEqual({ text: "x", number: 5 });
  await exporter.stop();
});

test("many spans are sent at once, in requests of a bounded size", async () => {
  await using collector = startCollector();
  const { exporter, clock } = exporterTo(collector);
  exporter.add(spans(MOST_AT_ONCE + 3));
  await until("the first ones were sent", () => exporter.counts().sent === MOST_AT_ONCE);
  clock.advance(GATHER_MS);
  await until("the others were sent", () => exporter.counts().sent === MOST_AT_ONCE + 3);
  expect(collector.requests.map((request) => request.spans.length)).toEqual([MOST_AT_ONCE, 3]);
  await exporter.stop();
});

test("a collector that is busy or gone gets the spans later, and the reason is reported once", async () => {
  await using collector = startCollector();
  const { exporter, clock, logged } = exporterTo(collector);
  collector.answer(503, 503);
  exporter.add([span("one")]);
  for (
    let waitedMs = 0;
    exporter.counts().sent === 0 && waitedMs < 10 * LONGEST_RETRY_MS;
    waitedMs += 1_000
  ) {
    clock.advance(1_000);
    // Each request and its response take a few turns of the event loop.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(exporter.counts()).toEqual({ sent: 1, dropped: 0 });
  expect(logged).toEqual([
    "sending traces: the collector returned status 503; codexlb keeps trying",
    "traces are sent again",
  ]);
  await exporter.stop();
});

test("spans that the collector refuses are dropped and counted", async () => {
  await using collector = startCollector();
  const { exporter, clock, logged } = exporterTo(collector);
  collector.answer(401);
  exporter.add([span("one")]);
  clock.advance(GATHER_MS);
  await until("they were refused", () => exporter.counts().dropped === 1);
  expect(logged).toEqual(["sending traces: the collector returned status 401; codexlb keeps trying"]);
  await exporter.stop();
});

test("a bounded number of spans waits, and a secret in the address is not reported", async () => {
  const { exporter, clock, logged } = exporterTo({ url: "http://127.0.0.1:9" }, "/secret");
  exporter.add(spans(1));
  clock.advance(GATHER_MS);
  await until("the failure was reported", () => logged.length === 1);
  for (let added = 1; added < MOST_WAITING + 10; added++) exporter.add(spans(1));
  expect(exporter.counts()).toEqual({ sent: 0, dropped: 10 });
  expect(logged[0]).not.toContain("secret");
  const stopped = exporter.stop();
  clock.advance(60_000);
  await stopped;
});

test("the end sends what waits", async () => {
  await using collector = startCollector();
  const { exporter } = exporterTo(collector);
  exporter.add([span("one")]);
  await exporter.stop();
  expect(collector.spans().map(({ name }) => name)).toEqual(["one"]);
});
