// The ways in the settings, and a test of each.

import { testMessage } from "../core/notify/message.ts";
import type { Clock } from "../deps.ts";
import type { Config } from "../state/settings.ts";
import { commandWay } from "./command-way.ts";
import { desktopWay } from "./desktop-way.ts";
import type { Way, WayContext, WayName } from "./way.ts";
import { webhookWay } from "./webhook-way.ts";

/** The result of a test. */
export interface WayTest {
  readonly way: WayName;
  /** Why the message was not sent; undefined if it was. */
  readonly error: string | undefined;
}

/** The ways that the settings name, in a fixed order. */
export function waysOf({ notify }: Pick<Config, "notify">, context: WayContext): Way[] {
  return [
    ...(notify.command.length === 0 ? [] : [commandWay(notify.command, context)]),
    ...(notify.webhook === "" ? [] : [webhookWay(notify.webhook, context)]),
    ...(notify.desktop ? [desktopWay(context)] : []),
  ];
}

/** Sends a test message once in every way. */
export function testWays(ways: readonly Way[], proxyName: string, clock: Clock): Promise<WayTest[]> {
  const message = testMessage(proxyName, clock.now());
  const never = new AbortController().signal;
  return Promise.all(ways.map(async (way) => ({ way: way.name, error: await way.send(message, never) })));
}
