// The channels in the settings, and a test of each.

import { testMessage } from "../core/notify/message.ts";
import type { Clock } from "../deps.ts";
import type { Config } from "../state/settings.ts";
import type { Channel, ChannelContext, ChannelName } from "./channel.ts";
import { commandChannel } from "./command-channel.ts";
import { desktopChannel } from "./desktop-channel.ts";
import { webhookChannel } from "./webhook-channel.ts";

/** The result of a test. */
export interface ChannelTest {
  readonly channel: ChannelName;
  /** Why the message was not sent; undefined if it was. */
  readonly error: string | undefined;
}

/** The channels that the settings name, in a fixed order. */
export function channelsOf({ notify }: Pick<Config, "notify">, context: ChannelContext): Channel[] {
  return [
    ...(notify.command.length === 0 ? [] : [commandChannel(notify.command, context)]),
    ...(notify.webhook === "" ? [] : [webhookChannel(notify.webhook, context)]),
    ...(notify.desktop ? [desktopChannel(context)] : []),
  ];
}

/** Sends a test message once through every channel. */
export function testChannels(
  channels: readonly Channel[],
  proxyName: string,
  clock: Clock,
): Promise<ChannelTest[]> {
  const message = testMessage(proxyName, clock.now());
  const never = new AbortController().signal;
  return Promise.all(
    channels.map(async (channel) => ({ channel: channel.name, error: await channel.send(message, never) })),
  );
}
