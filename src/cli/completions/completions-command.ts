// `codexlb completions`: prints what lets a shell complete our command lines.

import { defineCommand } from "citty";
import { nearest } from "../../core/nearest.ts";
import { print } from "../../print.ts";
import { usage } from "../flags.ts";
import { SHELLS } from "./shells.ts";

const NAMES = SHELLS.map(({ name }) => name);

export default defineCommand({
  meta: {
    name: "codexlb completions",
    description: "Print a script that lets a shell complete codexlb's command lines",
  },
  args: { shell: { type: "positional", description: "The shell", valueHint: NAMES.join("|") } },
  run: ({ rawArgs }) => {
    const [name, ...surplus] = rawArgs;
    if (name === undefined)
      throw usage(
        `completions for which shell? ${NAMES.join(", ")}`,
        SHELLS.map((shell) => `${shell.name}: ${shell.install}`).join("\n  "),
      );
    if (surplus.length > 0) throw usage("completions takes one shell");
    const shell = SHELLS.find((one) => one.name === name);
    if (shell !== undefined) return print(shell.script);
    const meant = nearest(name, NAMES);
    throw usage(
      `there are no completions for ${JSON.stringify(name)}, but for: ${NAMES.join(", ")}`,
      meant === undefined ? undefined : `did you mean ${meant}?`,
    );
  },
});
