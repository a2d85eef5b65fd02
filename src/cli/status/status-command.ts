// `codexlb status`: shows the accounts of a proxy, once or live.

import { defineCommand } from "citty";
import { remoteStatusText } from "../../admin/client.ts";
import { advised } from "../../advice.ts";
import { degradedWords } from "../../core/cluster-words.ts";
import { shortStatus } from "../../core/short-status.ts";
import type { Deps } from "../../deps.ts";
import { print, printJsonText } from "../../print.ts";
import { outputColumns } from "../../terminal-columns.ts";
import { ADMIN_TOKEN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { durationFlag, usage } from "../flags.ts";
import { doorOf, locate } from "../proxy/locate-proxy.ts";
import { hasUtf8 } from "../terminal/glyphs.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { terminalFrame } from "../terminal/terminal-frame.ts";
import { watchStatus } from "../watch/watch.ts";
import { watchedProxy } from "../watch/watched-proxy.ts";
import { frameLines } from "./frame.ts";
import { addAccountStep } from "./no-accounts.ts";
import { ANSWER_TIMEOUT_MS, refreshedStatusText } from "./refresh.ts";
import { type StatusReply, shownUrl, statusIn } from "./status-reply.ts";
import { statusTable } from "./status-table.ts";

export default defineCommand({
  meta: { name: "codexlb status", description: "Show the accounts of a running proxy" },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...ADMIN_TOKEN_FLAG,
    timeout: {
      type: "string",
      description: "Longest wait for the response (default 3s; 30s with --refresh)",
      valueHint: "DURATION",
    },
    refresh: {
      type: "boolean",
      description:
        "First fetch new figures of all accounts from the backend (those of the last 10 s count as new); warns about accounts for which that fails",
    },
    short: { type: "boolean", description: "Print one line, for status bars" },
    json: { type: "boolean", description: "Print the status as JSON" },
    wide: {
      type: "boolean",
      description:
        "Also show each account's priority, floors, tags, note, proxy and score, and the source and age of its figures",
    },
    watch: { type: "boolean", description: "Show the live status; ? shows its keys, q quits" },
    interval: {
      type: "string",
      description: "How often --watch updates, from 500ms to 1h",
      default: "2s",
      valueHint: "DURATION",
    },
  },
  run: async ({ args }) => {
    const only = (["json", "short"] as const).filter((name) => args[name]);
    if (only.length > 1) throw usage("status flags --json and --short are mutually exclusive");
    if (args.wide && only[0] !== undefined)
      throw usage(`status flags --wide and --${only[0]} are mutually exclusive`, "leave one of them out");
    const intervalMs = intervalOf(args.interval);
    const context = contextOf(args.root);
    const { deps } = context;
    if (args.watch) refuseToWatch(args, deps.env);
    const givenMs = args.timeout === undefined ? undefined : durationFlag(args.timeout, "timeout");
    // 0: no limit.
    const timeoutMs = (givenMs ?? ANSWER_TIMEOUT_MS) || undefined;
    const wide = args.wide ?? false;
    if (args.watch) {
      const proxy = watchedProxy(context, args, {
        timeoutMs,
        ...(args.refresh ? { firstText: (door) => refreshedStatusText(door, givenMs, deps) } : {}),
      });
      process.exitCode = await watchStatus({ proxy, intervalMs, wide, deps });
      return;
    }
    const location = await locate(context, args, { clientKey: true });
    const door = { ...doorOf(context, location), timeoutMs };
    const text = args.refresh ? await refreshedStatusText(door, givenMs, deps) : await remoteStatusText(door);
    if (args.json) return printJsonText(text.endsWith("\n") ? text : `${text}\n`);
    const url = await shownUrl(door, location.daemon);
    const status = statusIn(text, url);
    print(args.short ? `${shortStatus(status)}\n` : shownStatus({ status, url }, deps, wide));
  },
});

// --- internal ---

/** A frame for a person; the table of the Go program for scripts. */
function shownStatus({ status, url }: StatusReply, { env, clock, log }: Deps, wide: boolean): string {
  const nowMs = clock.now();
  const frame = terminalFrame(env);
  if (frame === undefined && status.accounts.length === 0) log.info(addAccountStep());
  const degraded = degradedWords(status, nowMs);
  if (frame === undefined && degraded !== undefined) log.warn(`${degraded}: ${status.cluster?.error}`);
  if (frame === undefined) return statusTable(status, { columns: outputColumns(env), figures: wide }, nowMs);
  const lines = frameLines(
    { status, url, answeredMs: nowMs, trouble: undefined },
    {
      columns: frame.columns,
      height: { kind: "page" },
      nowMs,
      colour: wantsColour(env),
      utf8: hasUtf8(env),
      wide,
    },
  );
  return `${lines.join("\n")}\n`;
}

/** A shorter interval would only cost the proxy work, because no change is visible. */
const SHORTEST_INTERVAL_MS = 500;
/** The longest interval; timers have a limit. */
const LONGEST_INTERVAL_MS = 3_600_000;

function intervalOf(text: string): number {
  const ms = durationFlag(text, "interval");
  if (ms >= SHORTEST_INTERVAL_MS && ms <= LONGEST_INTERVAL_MS) return ms;
  throw usage(`flag --interval must be from 500ms to 1h, not ${text.trim()}`, "write it as 2s or 1m");
}

/** Throws `usage` if `--watch` cannot work. */
function refuseToWatch(
  { short, json }: { readonly short?: boolean | undefined; readonly json?: boolean | undefined },
  env: CommandContext["deps"]["env"],
): void {
  if (json || short)
    throw usage(
      `status flags --watch and ${json ? "--json" : "--short"} are mutually exclusive`,
      "leave one of them out",
    );
  if (!process.stdout.isTTY || env.TERM === "dumb")
    throw usage(
      process.stdout.isTTY
        ? "status --watch cannot draw on this terminal (TERM=dumb)"
        : "status --watch requires a terminal",
      `run ${advised("status")} without --watch; scripts can use --json`,
    );
}
