// The settings of the table [notify].

import { NOTICE_KINDS } from "../core/notify/notice.ts";
import { isPrivateHost } from "../network/private-hosts.ts";
import { flag, isHttpUrl, share, text, words } from "./setting-types.ts";

/** The settings of the table [notify], by name. */
export const NOTIFY = {
  command: words([]).meta({
    description:
      'Program that sends a notification, with its arguments, such as ["/home/you/notify.sh"]. It gets JSON on standard input; no shell is involved.',
  }),
  webhook: text("")
    .refine((value) => value === "" || isReceiver(value), {
      // The URL may contain a secret, so the message does not show it.
      error: "must be an https URL, or an http URL of this machine or of a private network",
    })
    .meta({ description: "URL to which notifications are sent, as JSON in a POST request." }),
  desktop: flag(false).meta({
    description: "Show notifications on this machine's desktop (notify-send on Linux, osascript on macOS).",
  }),
  events: words([])
    .superRefine((list, context) => {
      for (const name of list)
        if (!(NOTICE_KINDS as readonly string[]).includes(name))
          context.addIssue({
            code: "custom",
            message: `${JSON.stringify(name)} is not an event; allowed: ${NOTICE_KINDS.join(", ")}`,
          });
    })
    .meta({
      description: `Events that cause a notification; empty: all of ${NOTICE_KINDS.join(", ")}.`,
    }),
  pool_below: share(20).meta({
    description:
      "Send pool_low when less than this percentage of one of the pool's windows is left. 0: never.",
  }),
};

/** The key whose value may contain a secret in any part of its URL. */
export const WEBHOOK_KEY = "notify.webhook";

/** A webhook's URL without its path, query, user and password, safe to show; "" if there is none. */
export function maskedWebhook(value: unknown): string {
  if (typeof value !== "string" || value === "") return "";
  return URL.canParse(value) ? `${new URL(value).origin}/[redacted]` : "[redacted]";
}

// --- internal ---

function isReceiver(value: string): boolean {
  if (!isHttpUrl(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === "https:" || isPrivateHost(hostname);
}
