// `codexlb unsetup`: takes back what `codexlb setup` wrote.

import { defineCommand } from "citty";
import { type Unsetup, unsetup } from "../../codex/client-setup.ts";
import { print } from "../../print.ts";
import { contextOf, ROOT_FLAG } from "../context.ts";
import { CLIENT_HOME_FLAG, clientHomeOf } from "../run/client-home.ts";

export default defineCommand({
  meta: { name: "codexlb unsetup", description: "Undo codexlb setup" },
  args: { ...ROOT_FLAG, ...CLIENT_HOME_FLAG },
  run: ({ args }) => {
    const context = contextOf(args.root);
    const home = clientHomeOf(context, args["codex-home"]);
    const done = unsetup(home);
    if (done === undefined) return print(`${home} is not set up; nothing was changed\n`);
    print(`${DONE[done.kind](done.path)}; restart clients that are running\n`);
    for (const key of done.kept)
      context.deps.log.warn(`${key} in ${done.path} was changed since codexlb setup, and stays`);
  },
});

// --- internal ---

const DONE: Readonly<Record<Unsetup["kind"], (path: string) => string>> = {
  restored: (path) => `${path} is as it was before codexlb setup`,
  removed: (path) => `removed ${path}, which codexlb setup had made`,
  gone: (path) => `${path} is not there any more; there was nothing to undo`,
  edited: (path) =>
    `took the base URLs of codexlb setup out of ${path}; it was edited since, and the rest stays`,
};
