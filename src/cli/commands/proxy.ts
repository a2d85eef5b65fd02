// `codexlb proxy`: runs the proxy in the foreground until it is told to stop.

import { defineCommand } from "citty";
import { type Daemon, startDaemon } from "../../daemon/daemon.ts";
import { contextOf, ROOT_FLAG } from "../context.ts";
import { integerFlag } from "../flags.ts";
import { isCompiled } from "../self.ts";
import logs from "./proxy-logs.ts";

const number = (description: string) => ({ type: "string", description, valueHint: "N" }) as const;

export default defineCommand({
  meta: { name: "codexlb proxy", description: "Run the proxy that Codex talks to" },
  args: {
    ...ROOT_FLAG,
    listen: {
      type: "string",
      description: "Address to listen on (default proxy.listen)",
      valueHint: "HOST:PORT",
    },
    upstream: {
      type: "string",
      description: "Backend of the accounts (default proxy.upstream_base_url)",
      valueHint: "URL",
    },
    "max-attempts": number("Accounts that one request may try"),
    "usage-timeout-ms": number("Longest wait for the usage and token endpoints"),
    "cooldown-default-seconds": number("Rest of an account after a failed connection"),
    "quota-refresh-minutes": number("Figures are asked for again after so many minutes"),
    "quota-refresh-messages": number("... or so many messages"),
    "quota-cache-ttl-minutes": number("Figures older than this count as unknown"),
  },
  subCommands: { logs },
  run: async ({ args }) => {
    raiseRequestLimit();
    // Whoever reads the first line may stop the proxy at once.
    const told = stopSignal();
    const { deps, layout } = contextOf(args.root);
    const daemon = await startDaemon(
      layout,
      {
        listen: args.listen,
        upstream: args.upstream,
        maxAttempts: integerFlag(args["max-attempts"], "max-attempts"),
        usageTimeoutMs: integerFlag(args["usage-timeout-ms"], "usage-timeout-ms"),
        cooldownDefaultSeconds: integerFlag(args["cooldown-default-seconds"], "cooldown-default-seconds"),
        quotaRefreshMinutes: integerFlag(args["quota-refresh-minutes"], "quota-refresh-minutes"),
        quotaRefreshMessages: integerFlag(args["quota-refresh-messages"], "quota-refresh-messages"),
        quotaCacheTtlMinutes: integerFlag(args["quota-cache-ttl-minutes"], "quota-cache-ttl-minutes"),
      },
      deps,
    );
    process.stdout.write(
      `codexlb proxy ${daemon.name} listening on ${daemon.listensOn} (upstream=${daemon.upstream}, logs=${layout.events})\n`,
    );
    deps.log.info(
      daemon.accountCount + daemon.childCount === 0
        ? "no accounts yet; add one with: codexlb account login ALIAS, or: codexlb account import"
        : `${served(daemon)}; run Codex with: codexlb run`,
    );
    await daemon.stop(await told);
  },
});

// --- internal ---

/** `2 accounts and 1 child proxy`. */
function served({ accountCount, childCount }: Daemon): string {
  const accounts = `${accountCount} account${accountCount === 1 ? "" : "s"}`;
  const children = `${childCount} child prox${childCount === 1 ? "y" : "ies"}`;
  return childCount === 0 ? accounts : `${accounts} and ${children}`;
}

const LIMIT_VARIABLE = "BUN_CONFIG_MAX_HTTP_REQUESTS";
/** Bun allows 256 upstream requests at a time unless told otherwise; long turns of many agents come near that. */
const REQUEST_LIMIT = "65336";

/** The limit counts only when it stands in the environment at start, so the executable starts itself once more. */
function raiseRequestLimit(): void {
  if (!isCompiled() || process.env[LIMIT_VARIABLE] !== undefined || typeof process.execve !== "function")
    return;
  process.execve(process.execPath, [process.execPath, ...process.argv.slice(2)], {
    ...process.env,
    [LIMIT_VARIABLE]: REQUEST_LIMIT,
  });
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve("SIGINT"));
    process.once("SIGTERM", () => resolve("SIGTERM"));
  });
}
