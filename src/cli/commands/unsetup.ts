// `codexlb unsetup`: undoes the changes of `codexlb setup`.

import { defineCommand } from "citty";
import { type UnsetupResult, unsetup } from "../../codex/client-setup.ts";
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
    if (done === undefined) return print(`${home} is not set up; nothing to undo\n`);
    print(`${DONE[done.kind](done.path)}; restart running clients\n`);
    for (const key of done.kept)
      context.deps.log.warn(`kept ${key} in ${done.path}: it was changed after codexlb setup`);
  },
});

// --- internal ---

const DONE: Readonly<Record<UnsetupResult["kind"], (path: string) => string>> = {
  restored: (path) => `restored ${path} to its state before codexlb setup`,
  removed: (path) => `removed ${path}, which codexlb setup had created`,
  gone: (path) => `${path} no longer exists; nothing to undo`,
  edited: (path) => `removed the base URLs of codexlb setup from ${path}; kept the edits made since`,
};
