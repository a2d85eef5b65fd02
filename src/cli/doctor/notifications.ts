// Checks the notifications: whether each channel works.

import { advised } from "../../advice.ts";
import { ago } from "../../core/time-words.ts";
import type { ChannelName } from "../../notify/channel.ts";
import { type ChannelFailure, readNotifyState } from "../../notify/notify-file.ts";
import { readConfig } from "../../state/config-source.ts";
import type { CommandContext } from "../context.ts";
import { type Finding, ok } from "./finding.ts";

/** Checks the channels in the settings. Returns nothing if there are none. */
export function examineNotifications(context: CommandContext): Finding[] {
  const check = "notifications";
  const names = configuredChannels(context);
  if (names.length === 0) return [];
  const { channels } = readNotifyState(context.layout.notify, { warn: () => {} });
  const failing = names.flatMap((name): [ChannelName, ChannelFailure][] => {
    const failure = channels.get(name)?.failure;
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

function configuredChannels({ layout }: CommandContext): ChannelName[] {
  try {
    const { command, webhook, desktop } = readConfig(layout).notify;
    const set = { command: command.length > 0, webhook: webhook !== "", desktop };
    return (["command", "webhook", "desktop"] as const).filter((name) => set[name]);
  } catch {
    return []; // another check reports invalid settings
  }
}
