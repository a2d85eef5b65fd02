// The metrics as text, in the Prometheus format or as OpenMetrics. prom-client formats it. Only its registry is used:
// the whole package takes 11 MiB of memory, and counts with its objects would cost every request more.

import type { MetricValueWithName, RegistryContentType, Registry as RegistryObject } from "prom-client";
import type { Distribution } from "../core/metrics/histogram.ts";
import { definitionOf, METRICS, type MetricId } from "./definitions.ts";
import type { Labels } from "./labels.ts";
import type { Report } from "./report.ts";

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/**
 * Everything that `collect` reports, in the format that the Accept header `accept` names: OpenMetrics if that is in it,
 * otherwise the Prometheus text format.
 */
export function expositionOf(
  accept: string | undefined,
  collect: (report: Report) => void,
): Promise<Exposition> {
  const values = new Map<MetricId, Value[]>();
  collect((id, value, labels = {}) => {
    const known = values.get(id) ?? [];
    known.push(...(typeof value === "number" ? [{ labels, value }] : valuesOf(id, value, labels)));
    values.set(id, known);
  });
  return formatted(values, accept?.includes("application/openmetrics-text") === true);
}

// --- internal ---

/** `metricName`: of a part of a histogram. */
type Value = Pick<MetricValueWithName<string>, "labels" | "value"> & { readonly metricName?: string };

async function formatted(
  values: ReadonlyMap<MetricId, Value[]>,
  isOpenMetrics: boolean,
): Promise<Exposition> {
  // Loaded at the first scrape, because most proxies have no monitoring program.
  const { default: Registry } = await import("prom-client/lib/registry.js");
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(
    isOpenMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE,
  );
  for (const id of Object.keys(METRICS) as MetricId[]) {
    const of = values.get(id);
    if (of === undefined) continue;
    const { name: wholeName, type, help } = definitionOf(id);
    // OpenMetrics names a counter without its suffix, which the registry adds to each value.
    const name = isOpenMetrics && type === "counter" ? wholeName.replace(/_total$/, "") : wholeName;
    const metric = { name, help, type, aggregator: "sum", values: of };
    registry.registerMetric({ name, type, get: async () => metric } as unknown as RegistryMetric);
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** A metric as the registry reads it. */
type RegistryMetric = Parameters<RegistryObject["registerMetric"]>[0];

function valuesOf(id: MetricId, { upTo, count, sum }: Distribution, labels: Labels): Value[] {
  const { name, bounds = [] } = definitionOf(id);
  const bucket = (le: string, value: number) => ({
    metricName: `${name}_bucket`,
    labels: { ...labels, le },
    value,
  });
  return [
    ...bounds.map((bound, index) => bucket(String(bound), upTo[index] ?? 0)),
    bucket("+Inf", count),
    { metricName: `${name}_sum`, labels: { ...labels }, value: sum },
    { metricName: `${name}_count`, labels: { ...labels }, value: count },
  ];
}
