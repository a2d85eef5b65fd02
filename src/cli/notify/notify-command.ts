// `codexlb notify test`: sends a test message through every channel of the settings.

import { defineCommand } from "citty";
import { remoteNotifyTest } from "../../admin/client.ts";
import { daemonAt } from "../../admin/daemon.ts";
import { docsPage } from "../../core/project-pages.ts";
import { CodexlbError } from "../../errors.ts";
import { createOutbound } from "../../network/egress.ts";
import { channelsOf, testChannels } from "../../notify/channels.ts";
import { printJson, printMessage } from "../../print.ts";
import { oneLine } from "../../printable.ts";
import { effectiveConfig, readConfigFile } from "../../state/config-source.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, requireRoot } from "../context.ts";
import { waitingFor } from "../terminal/terminal.ts";

const test = defineCommand({
  meta: {
    name: "codexlb notify test",
    description: "Send a test message through every channel that [notify] sets, and show which ones work",
  },
  args: { ...ROOT_FLAG, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const channels = await waitingFor("sending a test message", tested(context));
    if (channels.length === 0)
      throw new CodexlbError("not_found", "notifications are not set up", {
        next: `set notify.command, notify.webhook or notify.desktop in ${context.layout.config}: ${docsPage("notifications")}`,
      });
    const failed = channels.filter(({ error }) => error !== undefined);
    if (args.json) {
      const shown = channels.map(({ channel, error }) => ({
        // Scripts read these names.
        way: channel,
        ok: error === undefined,
        error,
      }));
      printJson({ ok: failed.length === 0, ways: shown }, 2);
    } else
      for (const { channel, error } of channels)
        printMessage(error === undefined ? "sent" : `failed: ${oneLine(error)}`, `${channel}: `);
    if (failed.length > 0)
      throw new CodexlbError(
        "notify_failed",
        `the test message could not be sent by ${failed.map(({ channel }) => channel).join(" or ")}`,
        {
          next: `correct [notify] in ${context.layout.config}: ${docsPage("notifications")}`,
        },
      );
  },
});

export default defineCommand({
  meta: { name: "codexlb notify", description: "Test the notifications" },
  subCommands: { test },
});

// --- internal ---

/** A running proxy sends the message itself, because its environment may differ from that of this command. */
async function tested({
  deps,
  layout,
}: CommandContext): Promise<readonly { readonly channel: string; readonly error?: string | undefined }[]> {
  const daemon = await daemonAt(layout.adminSocket);
  if (daemon.kind === "answers") {
    const results = await remoteNotifyTest({ ...daemon.door, timeoutMs: ANSWER_MS });
    return results.map(({ way, error }) => ({ channel: way, error }));
  }
  const config = effectiveConfig(readConfigFile(layout), {}, deps.env).config;
  const outbound = createOutbound({ env: deps.env, setting: () => config.proxy.outbound_proxy });
  const context = { clock: deps.clock, env: deps.env, outbound };
  return testChannels(channelsOf(config, context), config.proxy.name, deps.clock);
}

/** Longer than the longest run of a program. */
const ANSWER_MS = 60_000;
