// The traces of a running proxy. Without a collector in the environment, the tracer and the exporter are not loaded.

import type { BeginTrace } from "../proxy/turn-trace.ts";
import { tracingSettings } from "../tracing/settings.ts";
import type { SpanExporter } from "../tracing/span-exporter.ts";
import { VERSION } from "../version.ts";
import type { Base } from "./base.ts";

export interface Tracing extends Pick<SpanExporter, "counts" | "stop"> {
  readonly begin: BeginTrace;
}

/** The traces of a proxy; undefined if the environment names no collector. */
export async function tracingOf({
  deps,
  outbound,
  self,
}: Pick<Base, "deps" | "outbound" | "self">): Promise<Tracing | undefined> {
  const settings = tracingSettings(deps);
  if (settings === undefined) return undefined;
  const [{ createSpanExporter }, { createTurnTracer }] = await Promise.all([
    import("../tracing/span-exporter.ts"),
    import("../tracing/turn-tracer.ts"),
  ]);
  const { name, id } = self();
  const resource = {
    "service.version": VERSION,
    "service.instance.id": id,
    "codexlb.proxy": name,
    ...settings.resource,
  };
  const exporter = createSpanExporter({ deps, outbound, settings: { ...settings, resource } });
  const begin = createTurnTracer({ deps, sampler: settings.sampler, add: exporter.add });
  deps.log.info("sending turn traces to the configured OTLP collector");
  return { begin, counts: exporter.counts, stop: exporter.stop };
}
