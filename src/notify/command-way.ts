// Sends notifications to the user's own program. It gets the JSON on standard input and the text in a variable: a text
// as an argument could be read as an option.

import { runNotifier } from "./run-notifier.ts";
import type { Way, WayContext } from "./way.ts";

/** The variable with the text of the notification. */
const TEXT_VARIABLE = "CODEXLB_NOTIFICATION";

/** `argv`: the program and its arguments; at least the program. */
export function commandWay(argv: readonly string[], context: WayContext): Way {
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
