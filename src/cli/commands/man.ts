// `codexlb man`: prints the manual page.

import { defineCommand } from "citty";
import { systemDeps } from "../../deps.ts";
import { print } from "../../print.ts";
import { BUILT, VERSION } from "../../version.ts";
import { everyCommand } from "../definitions.ts";
import { manualPage } from "../manual/page.ts";
import { ROOT } from "../root.ts";

export default defineCommand({
  meta: {
    name: "codexlb man",
    description: "Print the manual page, in the form that man reads",
  },
  run: async () => {
    const date = BUILT ?? new Date(systemDeps().clock.now()).toISOString().slice(0, 10);
    print(manualPage(await everyCommand(ROOT), { version: VERSION, date }));
  },
});
