// `codexlb config ...`: shows and checks the settings.

import { defineCommand } from "citty";
import { checkClusterSettings } from "../../cluster/cluster-check.ts";
import { CodexlbError } from "../../errors.ts";
import { print, printJson, printMessage } from "../../print.ts";
import { readConfigText } from "../../state/config.ts";
import { effectiveConfig, readConfigFile } from "../../state/config-source.ts";
import { tomlValue } from "../../state/config-text.ts";
import { exposureNext, exposureProblem } from "../../state/settings.ts";
import { outputColumns } from "../../terminal-columns.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf, warnOfMissingRoot } from "../context.ts";
import { table, widthOf } from "../terminal/table.ts";
import { configWarnings } from "./config-warnings.ts";
import { settingsInEffect } from "./root-config.ts";

const path = defineCommand({
  meta: { name: "codexlb config path", description: "Print the path of config.toml" },
  args: { ...ROOT_FLAG },
  run: ({ args }) => print(`${contextOf(args.root).layout.config}\n`),
});

const check = defineCommand({
  meta: { name: "codexlb config check", description: "Check config.toml without changing anything" },
  args: { ...ROOT_FLAG },
  run: ({ args }) => {
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    const { deps, layout } = context;
    const file = readConfigFile(layout);
    const { config } = effectiveConfig(file, {}, deps.env);
    for (const warning of configWarnings(context)) printMessage(warning);
    const exposure = exposureProblem(config);
    if (exposure !== undefined) throw new CodexlbError("invalid_config", exposure, { next: exposureNext() });
    checkClusterSettings(layout, config.cluster, deps.env);
    if (file.unknown.length > 0)
      throw new CodexlbError("invalid_config", `${layout.config} has unknown keys`, {
        next: "correct or remove them; the proxy ignores them",
      });
    printMessage(`${layout.config} ${validity(readConfigText(layout.config))}`);
  },
});

const show = defineCommand({
  meta: {
    name: "codexlb config show",
    description: "Show all settings in effect and their sources; those of the running proxy, if there is one",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    warnOfMissingRoot(context);
    const { deps } = context;
    const { running, settings } = await settingsInEffect(context);
    if (args.json) return printJson({ running, settings }, 2);
    const rows = settings.map(({ key, value, source }) => [key, tomlValue(value), source]);
    print(settingsTable(rows, outputColumns(deps.env)));
    if (!running) deps.log.info("no proxy is running on this root; it would start with these settings");
  },
});

function validity(text: string | undefined): string {
  if (text === undefined) return "does not exist yet; the defaults apply";
  // An editor that writes the file leaves it empty for a moment.
  if (text.trim() === "")
    return "is empty: a new proxy starts with the defaults, and a running proxy keeps its settings";
  return "is valid";
}

/** A table, or two lines per setting if the table is too wide for the terminal. */
function settingsTable(rows: readonly (readonly string[])[], columns: number | undefined): string {
  const wide = table([["SETTING", "VALUE", "FROM"], ...rows]);
  if (columns === undefined || widthOf(wide) <= columns) return wide;
  return rows.map(([key, value, source]) => `${key} = ${value}\n    ${source}\n`).join("");
}

export default defineCommand({
  meta: { name: "codexlb config", description: "Show and check the settings" },
  subCommands: { check, show, path },
});
