// The step of `codexlb init` that creates the state directory.

import { makePrivateDirectory } from "../../state/atomic-file.ts";
import { rootExists } from "../context.ts";
import type { SetUp } from "./set-up.ts";
import { CHANGED, type Step } from "./step.ts";

export function rootStep({ context }: Pick<SetUp, "context">): Step {
  const { root } = context.layout;
  return {
    title: "State directory",
    detect: async () =>
      rootExists(context)
        ? { kind: "done", detail: root }
        : {
            kind: "open",
            details: [`This creates ${root} for settings, logins and the log. Only you can read it.`],
            offer: {
              question: "Create it?",
              choices: [
                {
                  key: "y",
                  label: "create it",
                  apply: async () => {
                    makePrivateDirectory(root);
                    return CHANGED;
                  },
                },
              ],
              enter: "y",
              preset: "y",
            },
          },
  };
}
