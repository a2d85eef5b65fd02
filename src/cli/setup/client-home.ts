// The Codex home of clients that start without `codexlb run`.

import { resolve } from "node:path";
import { userHomes } from "../../codex/home.ts";
import type { CommandContext } from "../context.ts";
import { usage } from "../flags.ts";
import { isManaged } from "../run/run-home.ts";

export const CLIENT_HOME_FLAG = {
  "codex-home": {
    type: "string",
    description: "The Codex home of the clients (CODEX_HOME; default ~/.codex)",
    valueHint: "DIR",
  },
} as const;

/** The absolute path of the home; `flag` is `--codex-home`. Throws `usage` for the home that `codexlb run` manages. */
export function clientHomeOf({ deps, layout }: CommandContext, flag: string | undefined): string {
  const home = resolve(flag?.trim() || (userHomes(deps.env)[0] ?? "."));
  if (isManaged(home, layout))
    throw usage(
      `${home} is managed by codexlb run and cannot be set up`,
      "pass your own Codex home with --codex-home, or unset CODEX_HOME",
    );
  return home;
}
