// Tests the alert rules and the Grafana dashboard in packaging/ against the metrics that exist, and with promtool.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { METRICS, type MetricDefinition } from "../../src/metrics/definitions.ts";
import { promtool, whyNoPromtool } from "../support/promtool.ts";
import { tempDirectory } from "../support/temp.ts";

const PACKAGING = join(import.meta.dir, "..", "..", "packaging");
const RULES = join(PACKAGING, "prometheus", "rules.yml");
const SCRAPE = join(PACKAGING, "prometheus", "scrape.yml");

const Dashboard = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.string(),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
    }),
  ),
  templating: z.object({
    list: z.array(
      z.object({ name: z.string(), query: z.union([z.string(), z.object({ query: z.string() })]) }),
    ),
  }),
});
const dashboard = Dashboard.parse(
  JSON.parse(readFileSync(join(PACKAGING, "grafana", "codexlb.json"), "utf8")),
);
const panelQueries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
);
const variableQueries = dashboard.templating.list.flatMap(({ name, query }) =>
  typeof query === "string" ? [] : [{ title: name, expr: query.query, legendFormat: "" }],
);
const alertQueries = [...readFileSync(RULES, "utf8").matchAll(/alert: (\w+)\n\s+expr: (.+)/g)].map(
  ([, title = "", expr = ""]) => ({ title, expr, legendFormat: "" }),
);

/** The time series that exist, with their labels. */
const SERIES = new Map(
  (Object.values(METRICS) as readonly MetricDefinition[]).flatMap(({ name, type, labels }) =>
    type === "histogram"
      ? [
          [`${name}_bucket`, [...labels, "le"]],
          [`${name}_sum`, labels],
          [`${name}_count`, labels],
        ]
      : [[name, labels]],
  ) as [string, readonly string[]][],
);
/** The labels that Prometheus adds. */
const ADDED = ["job", "instance"];

/** The metrics in `query`, with the labels that it selects by. */
function usedIn(query: string): { name: string; labels: string[] }[] {
  return [...query.matchAll(/\b((?:codexlb|process)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = "", labels = ""]) => ({
      name,
      labels: [...labels.matchAll(/(\w+)\s*[=!]/g)].map(([, label = ""]) => label),
    }),
  );
}

describe("the queries of the alerts and of the dashboard", () => {
  test("use only metrics and labels that exist", () => {
    expect([panelQueries.length > 30, alertQueries.length, variableQueries.length]).toEqual([true, 10, 2]);
    const wrong = [...panelQueries, ...alertQueries, ...variableQueries].flatMap(
      ({ title, expr, legendFormat }) => {
        const used = usedIn(expr);
        const known = used.flatMap(({ name }) => [...(SERIES.get(name) ?? []), ...ADDED]);
        const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, names = ""]) =>
          names.split(/,\s*/),
        );
        const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = ""]) => name);
        return [
          ...used
            .filter(({ name }) => !SERIES.has(name) && name !== "up")
            .map(({ name }) => `${title}: ${name}`),
          ...used.flatMap(({ name, labels }) =>
            labels
              .filter((label) => ![...(SERIES.get(name) ?? []), ...ADDED].includes(label))
              .map((label) => `${title}: ${name}{${label}}`),
          ),
          ...[...grouped, ...shown]
            .filter((label) => !known.includes(label))
            .map((label) => `${title}: ${label}`),
        ];
      },
    );
    expect(wrong).toEqual([]);
  });

  test("show every metric on the dashboard", () => {
    const shown = new Set(panelQueries.flatMap(({ expr }) => usedIn(expr).map(({ name }) => name)));
    const missing = (Object.values(METRICS) as readonly MetricDefinition[])
      .map(({ name, type }) => (type === "histogram" ? `${name}_bucket` : name))
      .filter((name) => !shown.has(name));
    expect(missing).toEqual([]);
  });
});

const why = whyNoPromtool();
if (why !== undefined) console.log(`skipped: the checks by promtool: ${why}`);

describe.skipIf(why !== undefined)("promtool", () => {
  test("accepts the alert rules and the scrape example", async () => {
    expect(await promtool(["check", "rules", "--lint-fatal", RULES])).toContain("10 rules found");
    await promtool(["check", "config", "--syntax-only", SCRAPE]);
  });

  test("passes the unit tests of the alerts, which cover every alert", async () => {
    const tests = join(import.meta.dir, "rules.yml");
    expect(await promtool(["test", "rules", tests])).toContain("SUCCESS");
    const text = readFileSync(tests, "utf8");
    expect(alertQueries.filter(({ title }) => !text.includes(`alertname: ${title}`))).toEqual([]);
  });

  test("accepts every query of the dashboard", async () => {
    using temp = tempDirectory();
    const rules = panelQueries.map(({ expr }, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m"),
    }));
    const path = join(temp.path, "rules.yml");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    expect(await promtool(["check", "rules", path])).toContain(`${panelQueries.length} rules found`);
  });
});
