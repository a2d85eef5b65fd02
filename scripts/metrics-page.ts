// The list of all metrics in docs/metrics.md, from their definitions. The rest of the page is written by hand.

import { METRICS, type MetricDefinition } from "../src/metrics/definitions.ts";
import { markdownTable } from "./markdown-table.ts";

/** `page` with its list of metrics as the program has them now. Throws an Error if the page has no place for it. */
export function metricsPage(page: string): string {
  const start = page.indexOf(GENERATED);
  if (start < 0) throw new Error("docs/metrics.md has no line after which the list of metrics begins");
  const rows = (Object.values(METRICS) as readonly MetricDefinition[]).map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.length === 0 ? "" : labels.map((label) => `\`${label}\``).join(", "),
    help.replaceAll("|", "\\|"),
  ]);
  const table = markdownTable([["metric", "type", "labels", "meaning"], ...rows]);
  return `${page.slice(0, start)}${GENERATED}\n${table}`;
}

// --- internal ---

const GENERATED = "<!-- `make docs` writes everything below this line. -->\n";
