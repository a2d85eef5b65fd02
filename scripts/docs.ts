// Writes the documentation that is made from the program itself: docs/configuration.md, docs/policies.md and,
// from the newest result of `make bench`, docs/performance.md. `make test-faults` writes docs/faults.md.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { performancePage } from "./bench/page.ts";
import { configurationPage } from "./configuration-page.ts";
import { policiesPage } from "./policies-page.ts";

const write = (name: string, text: string) => writeFileSync(join(import.meta.dir, "..", "docs", name), text);

write("configuration.md", configurationPage());
write("policies.md", policiesPage());
write("performance.md", performancePage());
