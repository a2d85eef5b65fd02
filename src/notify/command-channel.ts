// Sends notifications to the user's own program. It gets the JSON on standard input and the text in a variable: a text
// as an argument could be read as an option.

import type { Channel, ChannelContext } from "./channel.ts";
import { runNotifier } from "./run-notifier.ts";

/** The variable with the text of the notification. */
const TEXT_VARIABLE = "CODEXLB_NOTIFICATION";

/** `argv`: the program and its arguments; at least the program. */
export function commandChannel(argv: readonly string[], context: ChannelContext): Channel {
  return {
    name: "command",
    send: ({ text, json }, signal) =>
      runNotifier(
        argv,
        { stdin: `${JSON.stringify(json)}\n`, variables: { [TEXT_VARIABLE]: text } },
        context,
        signal,
      ),
  };
}
