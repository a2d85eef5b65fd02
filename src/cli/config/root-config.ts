// The settings of the root that a command works on.

import { remoteSettings } from "../../admin/client.ts";
import { daemonAt } from "../../admin/daemon.ts";
import { socketDoor } from "../../admin/door.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import {
  configFrom,
  effectiveConfig,
  readConfig,
  readConfigFile,
  type ShownSetting,
  shownSettings,
} from "../../state/config-source.ts";
import type { Config } from "../../state/settings.ts";
import type { CommandContext } from "../context.ts";

/**
 * The settings of the root. If config.toml is invalid, they are those of the proxy that is running on the root, and a
 * warning is printed. Each command reads them once. Throws `invalid_config`.
 */
export async function configOf(context: CommandContext): Promise<Config> {
  const known = read.get(context) ?? readSettings(context);
  read.set(context, known);
  return known;
}

/** The settings of the proxy that is running on the root, or those with which a proxy would start there. */
export async function settingsInEffect({
  deps,
  layout,
}: CommandContext): Promise<{ readonly running: boolean; readonly settings: readonly ShownSetting[] }> {
  const daemon = await daemonAt(layout.adminSocket);
  if (daemon.kind === "answers") return { running: true, settings: await remoteSettings(daemon.door) };
  const effective = effectiveConfig(readConfigFile(layout), {}, deps.env);
  return { running: false, settings: shownSettings(effective) };
}

// --- internal ---

const read = new WeakMap<CommandContext, Promise<Config>>();

/** A proxy on the same machine answers from memory. */
const ANSWER_TIMEOUT_MS = 2_000;

async function readSettings({ deps, layout }: CommandContext): Promise<Config> {
  try {
    return readConfig(layout);
  } catch (invalid) {
    const door = { ...socketDoor(layout.adminSocket), timeoutMs: ANSWER_TIMEOUT_MS };
    const settings = await remoteSettings(door).catch((error) => {
      throw error instanceof CodexlbError && error.code === "proxy_unreachable" ? invalid : error;
    });
    deps.log.warn(`${messageOf(invalid)}; using the settings of the running proxy`);
    return configFrom(settings);
  }
}
