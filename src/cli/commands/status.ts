// `codexlb status`: asks a proxy how its pool is. Reads only.

import { defineCommand } from "citty";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { parseJson } from "../../core/turn.ts";
import { CodexlbError, messageOf, systemCodeOf } from "../../errors.ts";
import { readConfig } from "../../state/config-source.ts";
import { clientUrl, contextOf, PROXY_URL_FLAG, ROOT_FLAG } from "../context.ts";
import { durationFlag, usage } from "../flags.ts";
import { fullStatus, StatusAnswer, shortStatus } from "../status-view.ts";

export default defineCommand({
  meta: { name: "codexlb status", description: "Show the accounts of a running proxy" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    timeout: {
      type: "string",
      description: "Longest wait for the answer",
      default: "3s",
      valueHint: "DURATION",
    },
    short: { type: "boolean", description: "One line, for status bars" },
    json: { type: "boolean", description: "The status document as it is" },
  },
  run: async ({ args }) => {
    if (args.short && args.json) throw usage("status flags --json and --short are mutually exclusive");
    const { deps, layout } = contextOf(args.root);
    const url = clientUrl(args["proxy-url"], deps, readConfig(layout));
    const text = await fetchStatus(url, durationFlag(args.timeout, "timeout"));
    if (args.json) return void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    const status = StatusAnswer.safeParse(parseJson(text));
    if (!status.success)
      throw new CodexlbError("proxy_answer", `${url} does not answer like a codexlb proxy`, {
        next: "check --proxy-url",
      });
    const columns = Number(deps.env.COLUMNS);
    process.stdout.write(
      args.short
        ? shortStatus(status.data)
        : fullStatus(
            status.data,
            Number.isInteger(columns) && columns > 0 ? columns : undefined,
            deps.clock.now(),
          ),
    );
  },
});

// --- internal ---

async function fetchStatus(url: string, timeoutMs: number): Promise<string> {
  const address = `${parseProxyUrl(url).href.replace(/\/+$/, "")}/status`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
    text = await response.text();
  } catch (error) {
    const refused = systemCodeOf(error) === "ConnectionRefused" || systemCodeOf(error) === "ECONNREFUSED";
    const why = refused ? "nobody listens there" : messageOf(error);
    throw new CodexlbError("proxy_unreachable", `asking ${address}: ${why}`, {
      next: "start the proxy with: codexlb proxy",
      cause: error,
    });
  }
  if (response.ok) return text;
  throw new CodexlbError(
    "proxy_answer",
    `proxy status error: status=${response.status} body=${text.trim().slice(0, 300)}`,
  );
}
