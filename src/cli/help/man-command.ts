// `codexlb man`: shows the manual page on a terminal with man, and prints it in a pipe.

import { defineCommand } from "citty";
import { systemDeps } from "../../deps.ts";
import { print } from "../../print.ts";
import { BUILT, VERSION } from "../../version.ts";
import { type Command, everyCommand } from "./command-description.ts";
import { manualPage } from "./manual-page.ts";

/** The command that prints the manual page of `commands`, the program with all its sub-commands. */
export function manCommand(commands: Command) {
  return defineCommand({
    meta: {
      name: "codexlb man",
      description: "Show the manual page on a terminal, or print it in roff format",
    },
    run: async () => {
      const date = BUILT ?? new Date(systemDeps().clock.now()).toISOString().slice(0, 10);
      const page = manualPage(await everyCommand(commands), { version: VERSION, date });
      if (process.stdout.isTTY !== true || !(await showPage(page))) print(page);
    },
  });
}

// --- internal ---

/** Shows `page` with man and its pager. Returns false if man is not installed or cannot show it. */
async function showPage(page: string): Promise<boolean> {
  const man = Bun.which("man");
  if (man === null) return false;
  const child = Bun.spawn([man, "-l", "-"], {
    stdin: new Blob([page]),
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await child.exited) === 0;
}
