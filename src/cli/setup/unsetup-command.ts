// `codexlb unsetup`: undoes the changes of `codexlb setup`.

import { defineCommand } from "citty";
import { BASE_URL_KEYS } from "../../codex/base-urls.ts";
import { type UnsetupResult, unsetup } from "../../codex/client-setup.ts";
import { printMessage } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { CLIENT_HOME_FLAG, clientHomeOf } from "./client-home.ts";

export default defineCommand({
  meta: { name: "codexlb unsetup", description: "Undo codexlb setup" },
  args: { ...ROOT_FLAG, ...CLIENT_HOME_FLAG },
  run: ({ args }) => {
    const context = contextOf(args.root);
    const home = clientHomeOf(context, args["codex-home"]);
    const done = unsetup(home);
    if (done === undefined) return printMessage(`${home} is not set up; nothing to undo`);
    if (done.kind === "unchanged")
      return printMessage(`removed nothing from ${done.path}: ${whyUnchanged(done)}`);
    printMessage(`${DONE[done.kind](done)}; restart running clients`);
    for (const key of done.kept)
      context.deps.log.warn(`kept ${key} in ${done.path}: it was changed after codexlb setup`);
  },
});

// --- internal ---

const DONE: Readonly<Record<Exclude<UnsetupResult["kind"], "unchanged">, (done: UnsetupResult) => string>> = {
  restored: ({ path }) => `restored ${path} to its state before codexlb setup`,
  removed: ({ path }) => `removed ${path}, which codexlb setup had created`,
  gone: ({ path }) => `${path} no longer exists; nothing to undo`,
  edited: ({ path, kept }) => {
    const removed = BASE_URL_KEYS.filter((key) => !kept.includes(key));
    const urls = kept.length === 0 ? "the base URLs" : removed.join(" and ");
    return `removed ${urls} of codexlb setup from ${path}; kept the edits made since`;
  },
};

function whyUnchanged({ kept }: UnsetupResult): string {
  if (kept.length === 0) return "the base URLs of codexlb setup are no longer in it";
  return `${kept.join(" and ")} ${kept.length === 1 ? "was" : "were"} changed after codexlb setup`;
}
