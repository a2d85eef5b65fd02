// Checks the notifications: whether each channel works.

import { advised } from "../../advice.ts";
import { ago } from "../../core/time-words.ts";
import { readNotifyState, type WayFailure } from "../../notify/notify-file.ts";
import type { WayName } from "../../notify/way.ts";
import { readConfig } from "../../state/config-source.ts";
import type { CommandContext } from "../context.ts";
import { type Finding, ok } from "./finding.ts";

/** Checks the ways in the settings. Returns nothing if there are none. */
export function examineNotifications(context: CommandContext): Finding[] {
  const check = "notifications";
  const names = configuredWays(context);
  if (names.length === 0) return [];
  const { ways } = readNotifyState(context.layout.notify, { warn: () => {} });
  const failing = names.flatMap((name): [WayName, WayFailure][] => {
    const failure = ways.get(name)?.failure;
    return failure === undefined ? [] : [[name, failure]];
  });
  if (failing.length === 0) return [ok(check, `sent by ${names.join(" and ")}`)];
  return failing.map(([name, { sinceMs, error }]) => ({
    check,
    status: "warning",
    detail: `${name} failed ${ago(sinceMs, context.deps.clock.now())}: ${error}; codexlb keeps trying`,
    remedy: `correct [notify] in config.toml, then run: ${advised("notify test")}`,
  }));
}

// --- internal ---

function configuredWays({ layout }: CommandContext): WayName[] {
  try {
    const { command, webhook, desktop } = readConfig(layout).notify;
    const set = { command: command.length > 0, webhook: webhook !== "", desktop };
    return (["command", "webhook", "desktop"] as const).filter((name) => set[name]);
  } catch {
    return []; // another check reports invalid settings
  }
}
