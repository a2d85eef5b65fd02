// `codexlb cluster ...`: shares the accounts of a root with other proxies, over a Redis or Valkey server.

import { defineCommand } from "citty";
import exportPool from "./export-command.ts";
import init from "./init-command.ts";
import join from "./join-command.ts";
import leave from "./leave-command.ts";
import rekey from "./rekey-command.ts";
import status from "./status-command.ts";

export default defineCommand({
  meta: { name: "codexlb cluster", description: "Share accounts between several proxies" },
  subCommands: { init, join, leave, status, export: exportPool, rekey },
});
