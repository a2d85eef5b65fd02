import { expect, test } from "bun:test";
import { traceparentIn } from "../../src/proxy/turn-trace.ts";
import { createSampler } from "../../src/tracing/sampler.ts";
import { tracingSettings } from "../../src/tracing/settings.ts";
import { parseTraceparent } from "../../src/tracing/traceparent.ts";

/** The settings in `env`, and the warnings. */
function read(env: Record<string, string>) {
  const warnings: string[] = [];
  const settings = tracingSettings({
    env,
    log: { info: () => {}, warn: (text) => void warnings.push(text) },
  });
  return { settings, warnings };
}

const BASE = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" };

test("traces are off without an endpoint, and when a variable switches them off", () => {
  for (const env of [
    {},
    { OTEL_SERVICE_NAME: "x", OTEL_TRACES_SAMPLER: "always_on" },
    { ...BASE, OTEL_SDK_DISABLED: "true" },
    { ...BASE, OTEL_TRACES_EXPORTER: "none" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: " " },
  ])
    expect(read(env)).toEqual({ settings: undefined, warnings: [] });
});

test("a variable that cannot be used switches traces off with a warning", () => {
  for (const [env, word] of [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, "not an http or https URL"],
    [{ ...BASE, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "grpc"],
    [{ ...BASE, OTEL_TRACES_SAMPLER: "sometimes" }, "OTEL_TRACES_SAMPLER"],
    [{ ...BASE, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" }, "OTEL_TRACES_SAMPLER"],
  ] as const) {
    const { settings, warnings } = read(env);
    expect(settings).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(word)]);
    expect(warnings[0]).toEndWith("; codexlb sends no traces");
  }
});

test("the endpoint of traces is used as it is, and the common one gets its path", () => {
  expect(read(BASE).settings?.url).toBe("http://collector:4318/v1/traces");
  const own = { ...BASE, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces:1/otlp" };
  expect(read(own).settings?.url).toBe("https://traces:1/otlp");
});

test("headers, names and the timeout have the forms of the specification", () => {
  const { settings } = read({
    ...BASE,
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x, api-key = y ,nonsense,=z",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=home,service.name=other,broken=%zz",
    OTEL_EXPORTER_OTLP_TIMEOUT: "500",
  });
  expect(settings?.headers).toEqual({ authorization: "Bearer x", "api-key": "y" });
  expect(settings?.resource).toEqual({
    "deployment.environment": "home",
    "service.name": "other",
    broken: "%zz",
  });
  expect(settings?.timeoutMs).toBe(500);
  expect(read({ ...BASE, OTEL_SERVICE_NAME: "mine" }).settings?.resource).toEqual({ "service.name": "mine" });
  const plain = read({
    ...BASE,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "a=b",
    OTEL_EXPORTER_OTLP_HEADERS: "c=d",
  });
  expect([plain.settings?.headers, plain.settings?.timeoutMs]).toEqual([{ a: "b" }, 10_000]);
});

test("a sampler follows the client's trace, or a share of all traces", () => {
  const low = `${"0".repeat(19)}1${"0".repeat(12)}`;
  const high = "f".repeat(32);
  const parent = (isSampled: boolean) => ({ traceId: low, spanId: "1".repeat(16), isSampled });
  const answers = (name: string | undefined, argument?: string) => {
    const sampler = createSampler(name, argument);
    return [
      sampler?.(low, undefined),
      sampler?.(high, undefined),
      sampler?.(high, parent(true)),
      sampler?.(low, parent(false)),
    ];
  };
  expect(answers(undefined)).toEqual([true, true, true, false]);
  expect(answers("always_on")).toEqual([true, true, true, true]);
  expect(answers("always_off")).toEqual([false, false, false, false]);
  expect(answers("traceidratio", "0.5")).toEqual([true, false, false, true]);
  expect(answers("parentbased_traceidratio", "0.5")).toEqual([true, false, true, false]);
  expect(answers("parentbased_always_off")).toEqual([false, false, true, false]);
  expect(answers("traceidratio", "0")).toEqual([false, false, false, false]);
  expect(answers("traceidratio", "1")).toEqual([true, true, true, true]);
});

test("only a valid traceparent names a parent", () => {
  const [traceId, spanId] = ["3f4e41fa9ba19d41f45b8e1588cf6eca", "3a85eb7d6577fac5"];
  expect(parseTraceparent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, isSampled: true });
  expect(parseTraceparent(`01-${traceId}-${spanId}-00-more`)).toEqual({ traceId, spanId, isSampled: false });
  for (const text of [
    undefined,
    null,
    "",
    `ff-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}`,
  ])
    expect(parseTraceparent(text)).toBeUndefined();
});

test("the traceparent of a message is that in its metadata", () => {
  const message = (metadata: unknown) =>
    JSON.stringify({ type: "response.create", input: [], client_metadata: metadata });
  expect(traceparentIn(message({ a: "b", ws_request_header_traceparent: "x" }))).toBe("x");
  expect(traceparentIn(message({ ws_request_header_traceparent: 5 }))).toBeUndefined();
  expect(traceparentIn('{"input":["\\"ws_request_header_traceparent\\""]}')).toBeUndefined();
  expect(traceparentIn('{"ws_request_header_traceparent":"x"}')).toBeUndefined();
});
