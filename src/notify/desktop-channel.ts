// Shows notifications on the desktop: with notify-send on Linux, with osascript on macOS. Texts are arguments, never part
// of a script.

import type { NotifyMessage } from "../core/notify/message.ts";
import type { Channel, ChannelContext } from "./channel.ts";
import { runNotifier } from "./run-notifier.ts";

export function desktopChannel(context: ChannelContext): Channel {
  const platform = context.platform ?? process.platform;
  return {
    name: "desktop",
    send: async (message, signal) => {
      const argv = desktopCommand(platform, message);
      if (argv === undefined) return `desktop notifications are not supported on ${platform}`;
      const why = await runNotifier(argv, {}, context, signal);
      return why === NOT_INSTALLED ? `${why}; install libnotify (Debian: apt install libnotify-bin)` : why;
    },
  };
}

/** The command that shows `message`; undefined for platforms without one. */
export function desktopCommand(
  platform: NodeJS.Platform,
  { title, text }: Pick<NotifyMessage, "title" | "text">,
): string[] | undefined {
  if (platform === "linux")
    return ["notify-send", "--app-name=codexlb", "--", escapedBackslashes(title), asBody(text)];
  // The title comes first: it begins with `codexlb`, so osascript reads none of the texts as an option.
  if (platform === "darwin") return ["osascript", ...SCRIPT.flatMap((line) => ["-e", line]), title, text];
  return undefined;
}

// --- internal ---

const NOT_INSTALLED = "notify-send: command not found";

const SCRIPT: readonly string[] = [
  "on run argv",
  "display notification (item 2 of argv) with title (item 1 of argv)",
  "end run",
];

/** The body may contain markup and escape sequences of C (Desktop Notifications Specification; notify-send). */
function asBody(text: string): string {
  const plain = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return escapedBackslashes(plain);
}

function escapedBackslashes(text: string): string {
  return text.replaceAll("\\", "\\\\");
}
