// A span as OTLP writes it in JSON (opentelemetry-proto, trace.proto).

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly events?: readonly SpanEvent[];
  readonly status: { readonly code: number };
}

export interface SpanEvent {
  readonly name: string;
  readonly timeUnixNano: string;
}

export interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

/** `SPAN_KIND_SERVER`: the proxy serves a turn. `SPAN_KIND_CLIENT`: it asks an upstream. */
export const SPAN_KIND = { server: 2, client: 3 } as const;

/** `STATUS_CODE_UNSET` and `STATUS_CODE_ERROR`. */
export const SPAN_STATUS = { unset: 0, error: 2 } as const;

/** `values` as attributes, without those that are undefined. Numbers must be whole. */
export function attributesOf(values: Readonly<Record<string, string | number | undefined>>): Attribute[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined
      ? []
      : [{ key, value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value } }],
  );
}

/** Unix ms as OTLP writes times. */
export function unixNano(ms: number): string {
  return `${Math.round(ms)}000000`;
}

/** The body of a request that sends `spans` of the process with these attributes. */
export function exportBody(
  resource: Readonly<Record<string, string>>,
  scope: { readonly name: string; readonly version: string },
  spans: readonly Span[],
): string {
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: attributesOf(resource) }, scopeSpans: [{ scope, spans }] }],
  });
}
