// `codexlb completions`: prints the completion script for a shell.

import { defineCommand } from "citty";
import { nearest } from "../../core/nearest.ts";
import { print } from "../../print.ts";
import { usage } from "../flags.ts";
import { SHELLS } from "./shells.ts";

const NAMES = SHELLS.map(({ name }) => name);

export default defineCommand({
  meta: {
    name: "codexlb completions",
    description: "Print the completion script for a shell",
  },
  args: { shell: { type: "positional", description: "The shell", valueHint: NAMES.join("|") } },
  run: ({ rawArgs }) => {
    const [name, ...surplus] = rawArgs;
    if (name === undefined)
      throw usage(
        `completions needs the name of a shell: ${NAMES.join(", ")}`,
        SHELLS.map((shell) => `${shell.name}: ${shell.install}`).join("\n  "),
      );
    if (surplus.length > 0) throw usage("completions takes one shell");
    const shell = SHELLS.find((one) => one.name === name);
    if (shell !== undefined) return print(shell.script);
    const meant = nearest(name, NAMES);
    throw usage(
      `there are no completions for ${JSON.stringify(name)}; shells: ${NAMES.join(", ")}`,
      meant === undefined ? undefined : `did you mean ${meant}?`,
    );
  },
});
