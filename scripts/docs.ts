// Generates documentation from the program: docs/configuration.md, docs/policies.md, the list in docs/metrics.md, and
// docs/performance.md. The last one shows a result of `make bench`; RESULT=bench/results/FILE chooses another result than
// the one that it names. `make test-faults` writes docs/faults.md, `make test-cluster` docs/cluster-faults.md.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performancePage } from "./bench/page.ts";
import { configurationPage } from "./configuration-page.ts";
import { metricsPage } from "./metrics-page.ts";
import { policiesPage } from "./policies-page.ts";

const pathOf = (name: string) => join(import.meta.dir, "..", "docs", name);
const write = (name: string, text: string) => writeFileSync(pathOf(name), text);

write("configuration.md", configurationPage());
write("policies.md", policiesPage());
write("metrics.md", metricsPage(readFileSync(pathOf("metrics.md"), "utf8")));
const performance = readFileSync(pathOf("performance.md"), "utf8");
write("performance.md", performancePage(performance, process.env.RESULT));
