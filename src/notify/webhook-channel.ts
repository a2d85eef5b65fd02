// Sends notifications to a URL, as JSON. The URL may contain a secret, so it never appears in a message.

import { boundedFetch } from "../bounded-fetch.ts";
import { egressProblem, proxyRefusal } from "../network/connect-problem.ts";
import { fetchOptions } from "../network/egress.ts";
import { shortLine } from "../printable.ts";
import { VERSION } from "../version.ts";
import { type Channel, type ChannelContext, deadline } from "./channel.ts";

/** The longest wait for the whole response. */
export const WEBHOOK_MS = 10_000;

/** `address`: a valid http(s) URL, perhaps with user and password, which are sent as basic authentication. */
export function webhookChannel(address: string, { clock, outbound }: ChannelContext): Channel {
  const { url, authorization } = split(address);
  return {
    name: "webhook",
    send: async ({ json }, signal) => {
      const limit = deadline(clock, WEBHOOK_MS, signal);
      const headers = {
        "content-type": "application/json",
        "user-agent": `codexlb/${VERSION}`,
        ...(authorization === undefined ? {} : { authorization }),
      };
      try {
        const egress = outbound.toProxy(url);
        try {
          const { ok, status } = await boundedFetch(
            url,
            {
              method: "POST",
              headers,
              body: JSON.stringify(json),
              signal: limit.signal,
              ...fetchOptions(egress),
            },
            { limitBytes: LIMIT_BYTES, timeoutMs: undefined },
          );
          if (ok) return undefined;
          if (status >= 300 && status < 400)
            return `the server redirects (status ${status}), and codexlb does not follow`;
          return proxyRefusal(status, egress) ?? `the server returned status ${status}`;
        } catch (error) {
          if (limit.isLate()) return `no response within ${WEBHOOK_MS / 1000} s`;
          return signal.aborted ? "interrupted" : withoutUrl(egressProblem(error, url, egress), url);
        }
      } catch (error) {
        // The certificates in the settings cannot be read.
        return withoutUrl(String(error), url);
      } finally {
        limit.end();
      }
    },
  };
}

// --- internal ---

/** Receivers answer with a short text. */
const LIMIT_BYTES = 256 * 1024;

function split(address: string): { readonly url: string; readonly authorization: string | undefined } {
  const url = new URL(address);
  const { username, password } = url;
  url.username = "";
  url.password = "";
  if (username === "" && password === "") return { url: url.href, authorization: undefined };
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { url: url.href, authorization: `Basic ${Buffer.from(login).toString("base64")}` };
}

function withoutUrl(text: string, url: string): string {
  return shortLine(text.replaceAll(url, "the webhook"));
}
