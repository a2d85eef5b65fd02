// Runs Codex through a proxy, and reports what the run's turns did.

import { join } from "node:path";
import { advised } from "../../advice.ts";
import { codexAddresses } from "../../codex/addresses.ts";
import { codexCommand } from "../../codex/command-line.ts";
import { privateHosts } from "../../codex/direct-hosts.ts";
import { proxyDotenv } from "../../codex/dotenv.ts";
import { settingsIn } from "../../codex/home.ts";
import { type Ended, INSTALL_CODEX, runCodex } from "../../codex/run.ts";
import { type RunTag, runPrefix } from "../../core/run-tag.ts";
import type { CommandContext } from "../context.ts";
import { selfCommand } from "../self.ts";
import { CODEX_USAGE, misplacedFlag } from "./misplaced-flag.ts";
import { nativeHome } from "./native-home.ts";
import { openThreadAdvice } from "./open-thread.ts";
import { outageReport } from "./outage-report.ts";
import type { ProxyAddress } from "./proxy-address.ts";
import { type RunFlags, resumeLine, runLine, savedThread } from "./resume-line.ts";
import { RUN_FLAGS } from "./run-flags.ts";
import type { RunHome } from "./run-home.ts";
import { runWithProgress } from "./run-with-progress.ts";
import { configSources, prepareRuntime } from "./runtime-home.ts";
import {
  bypassReport,
  isInteractive,
  isSilent,
  noteBypass,
  othersReport,
  type RunChoice,
  type TaggedRun,
  tagRun,
  trafficOf,
} from "./tagged-run.ts";
import { runWaiting, type WaitingRun } from "./waiting-run.ts";

/** The parts of the Codex command that do not depend on the proxy. */
export interface RunJob {
  readonly context: CommandContext;
  readonly binary: string;
  /** Undefined means the user's own home. */
  readonly home: RunHome | undefined;
  readonly prefix: readonly string[];
  readonly args: readonly string[];
  readonly flags: RunFlags;
  /** The command that repeats the run with a proxy of its own. */
  readonly withProxy: string;
  /** Lists the proxy's accounts; undefined if the proxy does not list them. */
  readonly aliases: () => Promise<readonly string[] | undefined>;
}

/** The way to the proxy, and the home that was prepared for it. */
export interface ProxyRoute {
  readonly proxyUrl: string;
  readonly home: RunHome | undefined;
  readonly pathKey?: string | undefined;
  readonly tag?: RunTag | undefined;
}

export function commandOf({ context, ...job }: RunJob, { proxyUrl, home, pathKey, tag }: ProxyRoute) {
  const run = tag === undefined ? "" : runPrefix(tag);
  return codexCommand({
    ...job,
    codexHome: home?.path,
    keepsIdToken: home?.own !== undefined,
    addresses: codexAddresses(proxyUrl, { pathKey, run }),
    keyed: pathKey !== undefined,
    proxyUrl: `${proxyUrl}${run}`,
    env: context.deps.env,
  });
}

/** Runs Codex, and prints what a person should know about its turns. Returns how it ended. */
export async function runAtProxy(
  job: RunJob,
  address: ProxyAddress,
  chosen: RunChoice,
  shell: string | undefined,
): Promise<Ended> {
  const { deps } = job.context;
  const proxyUrl = address.url;
  const prepared = job.home === undefined ? undefined : await prepareRuntime(job.context, job.home, address);
  const home = prepared?.home.path ?? (await nativeHome(job.context, address, job.withProxy));
  const door = { url: proxyUrl, stub: prepared?.token };
  const tagged = await tagRun(door, chosen, deps, job.aliases);
  const tag = tagged?.tag;
  const route = { proxyUrl, home: prepared?.home, pathKey: prepared?.pathKey, tag };
  const start = (args: readonly string[]) =>
    runCodex({ command: commandOf({ ...job, args }, route), shell, self: selfCommand(), env: deps.env });
  const ended = await runTagged(tagged, {
    deps,
    args: job.args,
    isInteractive: isInteractive(job.args),
    start,
    traffic: async () => tag && trafficOf(door, tag),
    savedThread: (threads) => savedThread(home, threads),
    lineOf: (args) => runLine(args, job.flags),
  });
  const problem = startProblem(ended, job);
  if (problem !== undefined) {
    deps.log.info(problem);
    return ended;
  }
  const traffic = tag === undefined ? undefined : await trafficOf(door, tag);
  if (tag !== undefined && traffic === undefined)
    deps.log.info(`the proxy at ${proxyUrl} stopped during the run; see: ${advised("proxy logs")}`);
  const { account } = chosen;
  const others = account !== undefined && traffic && othersReport(account, traffic);
  if (others) deps.log.info(others);
  const report =
    traffic &&
    bypassReport({
      proxyUrl,
      args: [...job.prefix, ...job.args],
      traffic,
      failure: failureOf(ended),
      provider: providerOf(job.context, home),
      dotenv: proxyDotenv(home, privateHosts(codexAddresses(proxyUrl)), deps.env),
    });
  if (report !== undefined) deps.log.info(report.message);
  if (tag !== undefined && report?.isUnexpected) await noteBypass(door, tag);
  if (traffic?.outage !== undefined && failureOf(ended) !== undefined)
    deps.log.info(outageReport(traffic.outage, deps.clock.now()));
  const advice = openThreadAdvice(prepared?.home.own, job.args, ended);
  if (advice !== undefined) deps.log.info(advice);
  const threads = process.stdout.isTTY && isInteractive(job.args) ? traffic?.threads : undefined;
  const resume = threads === undefined ? undefined : resumeLine(home, threads, job.flags);
  if (resume !== undefined) deps.log.info(`to continue this session in the pool, run: ${resume}`);
  return ended;
}

// --- internal ---

/** Runs Codex. If the run or the proxy lets turns wait for a reset, shows what they wait for. */
async function runTagged(tagged: TaggedRun | undefined, run: Omit<WaitingRun, "waitMs">): Promise<Ended> {
  const { args, deps, isInteractive, start, traffic } = run;
  if (tagged === undefined || isSilent(args)) return start(args);
  const { tag, mayWait } = tagged;
  if (tag.waitSeconds !== undefined) return runWaiting({ ...run, waitMs: tag.waitSeconds * 1000 });
  // An interactive Codex uses the whole terminal.
  if (!mayWait || isInteractive) return start(args);
  return (await runWithProgress({ deps, traffic, isShown: true }, () => start(args))).ended;
}

/** The reason why Codex did not start; undefined if it started. */
function startProblem(ended: Ended, { binary, args }: RunJob): string | undefined {
  if (ended.kind === "signal") return undefined;
  const failure = Bun.which(binary) === null ? SHELL_FAILURES.get(ended.code) : undefined;
  if (failure !== undefined) return `${binary} ${failure}; ${INSTALL_CODEX}`;
  return ended.code === CODEX_USAGE ? misplacedFlag(args, Object.keys(RUN_FLAGS)) : undefined;
}

function failureOf(ended: Ended): string | undefined {
  if (ended.kind === "signal") return `by ${ended.signal}`;
  return ended.code === 0 ? undefined : `with code ${ended.code}`;
}

/** Codex's model provider, and the user's file that sets it, from which codexlb made Codex's settings. */
function providerOf(context: CommandContext, home: string): { name: string; path: string } | undefined {
  const name = settingsIn(home)?.model_provider;
  if (typeof name !== "string") return undefined;
  const from = configSources(context, undefined).find((one) => settingsIn(one)?.model_provider === name);
  return { name, path: join(from ?? home, "config.toml") };
}

/** The exit codes of a shell that could not run the program (POSIX 2.8.2). */
const SHELL_FAILURES: ReadonlyMap<number, string> = new Map([
  [126, "could not be run"],
  [127, "was not found"],
]);
