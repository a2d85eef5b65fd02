// A collector of traces on loopback.

import { z } from "zod";

const Value = z.union([z.object({ stringValue: z.string() }), z.object({ intValue: z.string() })]);
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .transform((list) =>
    Object.fromEntries(
      list.map(({ key, value }) => [key, "intValue" in value ? Number(value.intValue) : value.stringValue]),
    ),
  );
export type CollectedSpan = z.output<typeof CollectedSpan>;
const CollectedSpan = z.strictObject({
  traceId: z.string().regex(/^[\da-f]{32}$/),
  spanId: z.string().regex(/^[\da-f]{16}$/),
  parentSpanId: z
    .string()
    .regex(/^[\da-f]{16}$/)
    .optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string().regex(/^\d{19}$/),
  endTimeUnixNano: z.string().regex(/^\d{19}$/),
  attributes: Attributes,
  events: z
    .array(z.strictObject({ name: z.string(), timeUnixNano: z.string().regex(/^\d{19}$/) }))
    .optional(),
  status: z.strictObject({ code: z.number() }),
});
const Body = z.strictObject({
  resourceSpans: z.tuple([
    z.strictObject({
      resource: z.strictObject({ attributes: Attributes }),
      scopeSpans: z.tuple([
        z.strictObject({
          scope: z.strictObject({ name: z.literal("codexlb"), version: z.string() }),
          spans: z.array(CollectedSpan),
        }),
      ]),
    }),
  ]),
});

export interface Collector extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly CollectorRequest[];
  spans(): CollectedSpan[];
  /** Everything that was received, as text. */
  text(): string;
  /** The statuses of the next responses; afterwards 200. */
  answer(...statuses: number[]): void;
}

export interface CollectorRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly resource: Readonly<Record<string, string | number>>;
  readonly spans: readonly CollectedSpan[];
}

/** Starts a collector that accepts valid OTLP only. */
export function startCollector(): Collector {
  const requests: CollectorRequest[] = [];
  const texts: string[] = [];
  const statuses: number[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const text = await request.text();
      const body = Body.safeParse(JSON.parse(text));
      if (!body.success) return new Response(body.error.message, { status: 400 });
      const status = statuses.shift() ?? 200;
      if (status === 200) {
        const [{ resource, scopeSpans }] = body.data.resourceSpans;
        texts.push(text);
        requests.push({
          path: new URL(request.url).pathname,
          headers: request.headers,
          resource: resource.attributes,
          spans: scopeSpans[0].spans,
        });
      }
      return Response.json({}, { status });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    requests,
    spans: () => requests.flatMap(({ spans }) => [...spans]),
    text: () => texts.join("\n"),
    answer: (...next) => void statuses.push(...next),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
