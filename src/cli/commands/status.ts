// `codexlb status`: asks a proxy how its pool is. Reads only.

import { defineCommand } from "citty";
import { remoteStatusText } from "../../admin/client.ts";
import { parseProxyUrl } from "../../codex/addresses.ts";
import { shortStatus } from "../../core/short-status.ts";
import { StatusAnswer } from "../../core/status-wire.ts";
import { parseJson } from "../../core/turn.ts";
import { CodexlbError } from "../../errors.ts";
import { ADMIN_TOKEN_FLAG, contextOf, PROXY_URL_FLAG, proxyUrlOf, ROOT_FLAG, tokenFor } from "../context.ts";
import { durationFlag, usage } from "../flags.ts";
import { fullStatus } from "../status-view.ts";
import { outputColumns } from "../terminal.ts";

export default defineCommand({
  meta: { name: "codexlb status", description: "Show the accounts of a running proxy" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...ADMIN_TOKEN_FLAG,
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
    const context = contextOf(args.root);
    const { deps } = context;
    const url = parseProxyUrl(await proxyUrlOf(context, args["proxy-url"])).href;
    const token = tokenFor(context, url, args["admin-token"]) ?? deps.env.CODEXLB_CLIENT_KEY?.trim();
    const text = await remoteStatusText({
      url,
      token,
      timeoutMs: durationFlag(args.timeout, "timeout") || undefined,
    });
    if (args.json) return void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    const status = StatusAnswer.safeParse(parseJson(text));
    if (!status.success)
      throw new CodexlbError("proxy_answer", `${url} does not answer like a codexlb proxy`, {
        next: "check --proxy-url",
      });
    process.stdout.write(
      args.short
        ? `${shortStatus(status.data)}\n`
        : fullStatus(status.data, outputColumns(deps.env), deps.clock.now()),
    );
  },
});
