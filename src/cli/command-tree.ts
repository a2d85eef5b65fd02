// All commands. Each one is loaded only when it is called or described.

import { defineCommand } from "citty";
import type { Command } from "./help/command-description.ts";

type LoadedCommand = { readonly default: unknown };

const lazy = (load: () => Promise<LoadedCommand>) => async () => (await load()).default as Command;

export const COMMANDS: Command = defineCommand({
  meta: {
    name: "codexlb",
    description:
      "Run Codex over several ChatGPT accounts of your own. Without arguments, codexlb starts Codex (codexlb run).",
  },
  subCommands: {
    init: lazy(() => import("./init/init-command.ts")),
    proxy: lazy(() => import("./proxy/proxy-command.ts")),
    account: lazy(() => import("./accounts/account-command.ts")),
    "login-with": lazy(() => import("./login-with/login-with-command.ts")),
    run: lazy(() => import("./run/run-command.ts")),
    setup: lazy(() => import("./setup/setup-command.ts")),
    unsetup: lazy(() => import("./setup/unsetup-command.ts")),
    status: lazy(() => import("./status/status-command.ts")),
    wait: lazy(() => import("./wait/wait-command.ts")),
    usage: lazy(() => import("./usage/usage-command.ts")),
    simulate: lazy(() => import("./simulate/simulate-command.ts")),
    explain: lazy(() => import("./status/explain-command.ts")),
    dashboard: lazy(() => import("./dashboard/dashboard-command.ts")),
    config: lazy(() => import("./config/config-command.ts")),
    key: lazy(() => import("./keys/key-command.ts")),
    notify: lazy(() => import("./notify/notify-command.ts")),
    cluster: lazy(() => import("./cluster/cluster-command.ts")),
    service: lazy(() => import("./service/service-command.ts")),
    upgrade: lazy(() => import("./upgrade/upgrade-command.ts")),
    doctor: lazy(() => import("./doctor/doctor-command.ts")),
    completions: lazy(() => import("./completions/completions-command.ts")),
    // The manual page describes every command, so this one needs the whole tree.
    man: async () => (await import("./help/man-command.ts")).manCommand(COMMANDS) as Command,
    mock: lazy(() => import("./mock/mock-command.ts")),
    demo: lazy(() => import("./mock/demo-command.ts")),
  },
});
