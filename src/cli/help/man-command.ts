// `codexlb man`: prints the manual page.

import { defineCommand } from "citty";
import { systemDeps } from "../../deps.ts";
import { print } from "../../print.ts";
import { BUILT, VERSION } from "../../version.ts";
import { type Command, everyCommand } from "./command-description.ts";
import { manualPage } from "./manual-page.ts";

/** The command that prints the manual page of `commands`, the program with all its sub-commands. */
export function manCommand(commands: Command) {
  return defineCommand({
    meta: { name: "codexlb man", description: "Print the manual page in roff format" },
    run: async () => {
      const date = BUILT ?? new Date(systemDeps().clock.now()).toISOString().slice(0, 10);
      print(manualPage(await everyCommand(commands), { version: VERSION, date }));
    },
  });
}
