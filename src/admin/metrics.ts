// `GET /metrics`: the metrics for a monitoring program.

import { Hono } from "hono";
import type { Metrics } from "../metrics/metrics.ts";

export interface MetricsContext {
  readonly metrics: Pick<Metrics, "scrape">;
}

export function metricsRoutes({ metrics }: MetricsContext): Hono {
  return new Hono().get("/metrics", async (c) => {
    const { contentType, text } = await metrics.scrape(c.req.header("accept"));
    return c.body(text, 200, { "content-type": contentType });
  });
}
