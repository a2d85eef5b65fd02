// `codexlb dashboard`: opens the dashboard of a proxy in the browser.

import { defineCommand } from "citty";
import { remoteDashboardLink } from "../../admin/client.ts";
import { print, printJson } from "../../print.ts";
import { ADMIN_TOKEN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { doorOf, locate, urlOf } from "../proxy/locate-proxy.ts";
import { openInBrowser } from "./open-in-browser.ts";

/** The longest wait for the answer, in ms. */
const TIMEOUT_MS = 5_000;

export default defineCommand({
  meta: {
    name: "codexlb dashboard",
    description: "Open the dashboard of the proxy in the browser",
  },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...ADMIN_TOKEN_FLAG,
    print: { type: "boolean", description: "Only print the link; it works once, for a minute" },
    json: { type: "boolean", description: "Print the link as JSON" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    const location = await locate(context, args);
    const door = doorOf(context, location);
    const { path, expires_in_seconds } = await remoteDashboardLink({ ...door, timeoutMs: TIMEOUT_MS });
    const url = `${urlOf(location)}${path}`;
    if (args.json) return printJson({ url, expires_in_seconds }, 2);
    print(`${url}\n`);
    const { deps } = context;
    const limit = `the link works once, within ${expires_in_seconds} seconds`;
    if (args.print) return deps.log.info(limit);
    const problem = await openInBrowser(url, deps.env, process.platform);
    deps.log.info(
      problem === undefined
        ? `opening it in the browser; ${limit}`
        : `${problem}; open it yourself: ${limit}`,
    );
  },
});
