// Writes the documentation that is made from the program itself: docs/configuration.md and docs/policies.md. What
// docs/faults.md says is found out by running it: make test-faults.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configurationPage } from "./configuration-page.ts";
import { policiesPage } from "./policies-page.ts";

const write = (name: string, text: string) => writeFileSync(join(import.meta.dir, "..", "docs", name), text);

write("configuration.md", configurationPage());
write("policies.md", policiesPage());
