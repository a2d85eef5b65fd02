// Generates docs/configuration.md and docs/policies.md from the sources. The fault tests write docs/faults.md: make
// test-faults.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configurationPage } from "./configuration-page.ts";
import { policiesPage } from "./policies-page.ts";

const write = (name: string, text: string) => writeFileSync(join(import.meta.dir, "..", "docs", name), text);

write("configuration.md", configurationPage());
write("policies.md", policiesPage());
