// The trace settings: the standard OpenTelemetry environment variables that apply to spans which are sent by OTLP
// as JSON over HTTP.

import type { Deps } from "../deps.ts";
import { createSampler, type Sampler } from "./sampler.ts";

export interface TracingSettings {
  /** Gets the spans by POST. */
  readonly url: string;
  /** Additional headers, perhaps with a secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** The longest wait for a response, ms. */
  readonly timeoutMs: number;
  /** Attributes of this process, `service.name` included. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: Sampler;
}

/**
 * The settings in `env`; undefined if no endpoint is set, or traces are switched off. A variable that cannot be used
 * switches traces off too, with a warning: the proxy must start nevertheless.
 */
export function tracingSettings({ env, log }: Pick<Deps, "env" | "log">): TracingSettings | undefined {
  const read = (name: string) => env[name]?.trim() || undefined;
  const forTraces = (name: string) =>
    read(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? read(`OTEL_EXPORTER_OTLP_${name}`);
  const url = endpointOf(read);
  if (url === undefined) return undefined;
  if (read("OTEL_SDK_DISABLED")?.toLowerCase() === "true" || read("OTEL_TRACES_EXPORTER") === "none")
    return undefined;
  const off = (why: string): undefined => log.warn(`${why}; codexlb sends no traces`) ?? undefined;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ""))
    return off("the OTLP endpoint is not an http or https URL");
  if (forTraces("PROTOCOL") === "grpc")
    return off("OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and codexlb sends JSON over HTTP (http/json)");
  const sampler = createSampler(read("OTEL_TRACES_SAMPLER"), read("OTEL_TRACES_SAMPLER_ARG"));
  if (sampler === undefined)
    return off(
      "OTEL_TRACES_SAMPLER names an unknown sampler, or OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1",
    );
  const timeoutMs = Number(forTraces("TIMEOUT") ?? DEFAULT_TIMEOUT_MS);
  const attributes = pairsIn(read("OTEL_RESOURCE_ATTRIBUTES"));
  return {
    url,
    headers: pairsIn(forTraces("HEADERS")),
    timeoutMs: Number.isFinite(timeoutMs) && timeoutMs > 0 ? timeoutMs : DEFAULT_TIMEOUT_MS,
    resource: {
      ...attributes,
      "service.name": read("OTEL_SERVICE_NAME") ?? attributes["service.name"] ?? "codexlb",
    },
    sampler,
  };
}

// --- internal ---

const DEFAULT_TIMEOUT_MS = 10_000;

function endpointOf(read: (name: string) => string | undefined): string | undefined {
  const own = read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  if (own !== undefined) return own;
  const base = read("OTEL_EXPORTER_OTLP_ENDPOINT");
  return base && `${base.replace(/\/+$/, "")}/v1/traces`;
}

/** The pairs in `a=1,b=2`, whose values may be percent-encoded. Parts of another form are left out. */
function pairsIn(text: string | undefined): Record<string, string> {
  const pairs = (text ?? "").split(",").flatMap((part) => {
    const [, name, value = ""] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    return name === undefined ? [] : [[name, decoded(value)] as const];
  });
  return Object.fromEntries(pairs);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that encodes nothing
  }
}
