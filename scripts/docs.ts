// Writes the documentation that is made from the program itself: docs/configuration.md.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configurationPage } from "./configuration-page.ts";

writeFileSync(join(import.meta.dir, "..", "docs", "configuration.md"), configurationPage());
