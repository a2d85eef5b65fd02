// Links the user's Codex home into that of `codexlb run`, and the settings that go with it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { advised } from "../../advice.ts";
import { copySettingsFiles } from "../../codex/copied-settings.ts";
import type { Environment } from "../../codex/direct-hosts.ts";
import { settingsIn } from "../../codex/home.ts";
import { linkOwnHome } from "../../codex/linked-home.ts";
import { messageOf } from "../../errors.ts";
import type { Layout } from "../../state/layout.ts";
import type { TomlTable } from "../../state/toml.ts";
import type { CommandContext } from "../context.ts";
import { isolatedHome, type RunHome } from "./run-home.ts";

/** Links the user's home into `home`. The isolated home if that fails. */
export function linkedOrIsolated({ deps, layout }: CommandContext, home: RunHome): RunHome {
  if (home.own === undefined) return home;
  const isNew = !existsSync(home.path);
  try {
    linkOwnHome(home.own, home.path);
  } catch (error) {
    deps.log.warn(`${messageOf(error)}; this run uses the isolated home ${layout.runtime} instead`);
    return isolatedHome(layout);
  }
  if (!isNew) return home;
  const { unkeyed = home.path } = home;
  if (unkeyed !== home.path && existsSync(unkeyed)) copySettingsFiles(unkeyed, home.path);
  else if (unkeyed === layout.linkedHome) continueIsolated(layout, home, deps.log);
  return home;
}

/**
 * Settings that Codex gets in place of the user's. A run passes the proxy's address as an argument, with which Codex
 * cannot use its background server; without the first setting it warns about that at each start.
 */
export function forcedSettings(
  env: Environment,
  own: string | undefined,
  sources: readonly string[],
): TomlTable {
  const server = { features: { daemon_auto_start: false } };
  if (own === undefined) return server;
  const settings = sources
    .map(settingsIn)
    .find((found) => found !== undefined && Object.keys(found).length > 0);
  if (settings?.sqlite_home !== undefined || env.CODEX_SQLITE_HOME?.trim()) return server;
  return { ...server, sqlite_home: own };
}

// --- internal ---

/** Copies the settings of the isolated home of earlier versions, and says where their threads are. */
function continueIsolated(layout: Layout, { path, own }: RunHome, log: CommandContext["deps"]["log"]): void {
  copySettingsFiles(layout.runtime, path);
  if (existsSync(join(layout.runtime, "sessions")))
    log.info(
      `codexlb run now continues your own Codex home ${own}; threads of earlier runs are in ${layout.runtime}: ${advised("run", "--isolated-home", "resume")}`,
    );
}
