// How the sources of the metrics report their values when a monitoring program asks.

import type { Distribution } from "../core/metrics/histogram.ts";
import type { MetricId } from "./definitions.ts";
import type { Labels } from "./labels.ts";

/** Reports one value of a metric: a number, or a distribution for a histogram. */
export type Report = (id: MetricId, value: number | Distribution, labels?: Labels) => void;

/** The labels of the upstreams that the pool has now, by id; child proxies by name and URL, too. */
export type UpstreamLabels = ReadonlyMap<string, Labels>;
