// The commands there are. Each is loaded only when it is called, or asked about.

import { type ArgsDef, type CommandDef, defineCommand } from "citty";

// Commands differ in their flags; here only what they have in common matters.
export type Command = CommandDef<ArgsDef>;
type LoadedCommand = { readonly default: unknown };

const lazy = (load: () => Promise<LoadedCommand>) => async () => (await load()).default as Command;

export const ROOT: Command = defineCommand({
  meta: {
    name: "codexlb",
    description: "Runs Codex over several ChatGPT accounts of your own. Without arguments: codexlb run.",
  },
  subCommands: {
    proxy: lazy(() => import("./commands/proxy.ts")),
    account: lazy(() => import("./commands/account.ts")),
    "login-with": lazy(() => import("./commands/login-with.ts")),
    run: lazy(() => import("./commands/run.ts")),
    setup: lazy(() => import("./commands/setup.ts")),
    unsetup: lazy(() => import("./commands/unsetup.ts")),
    status: lazy(() => import("./commands/status.ts")),
    explain: lazy(() => import("./commands/explain.ts")),
    config: lazy(() => import("./commands/config.ts")),
    key: lazy(() => import("./commands/key.ts")),
    service: lazy(() => import("./commands/service.ts")),
    upgrade: lazy(() => import("./commands/upgrade.ts")),
    doctor: lazy(() => import("./commands/doctor.ts")),
    completions: lazy(() => import("./commands/completions.ts")),
    man: lazy(() => import("./commands/man.ts")),
    mock: lazy(() => import("./commands/mock.ts")),
    demo: lazy(() => import("./commands/demo.ts")),
  },
});
