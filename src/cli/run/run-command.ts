// `codexlb run`: starts Codex, configured to use the proxy.

import { constants } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { codexAddresses } from "../../codex/addresses.ts";
import { codexCommand, commandLine } from "../../codex/command-line.ts";
import { privateHosts } from "../../codex/direct-hosts.ts";
import { proxyDotenv } from "../../codex/dotenv.ts";
import { settingsIn } from "../../codex/home.ts";
import { codexBinary } from "../../codex/login.ts";
import { type Ended, INSTALL_CODEX, runCodex } from "../../codex/run.ts";
import { durationOf } from "../../core/duration.ts";
import { type RunTag, runPrefix } from "../../core/run-tag.ts";
import { RUN_WAIT, waitBoundOf } from "../../core/wait-bound.ts";
import { print } from "../../print.ts";
import { tagDemand } from "../accounts/option-flags.ts";
import { knownAliases } from "../accounts/unknown-account.ts";
import { CODEX_BIN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { configOf } from "../config/root-config.ts";
import { type CommandContext, contextOf, requireRoot } from "../context.ts";
import { usage } from "../flags.ts";
import { locate, servingUrl } from "../proxy/locate-proxy.ts";
import { selfCommand } from "../self.ts";
import { CODEX_USAGE, misplacedFlag } from "./misplaced-flag.ts";
import { nativeHome } from "./native-home.ts";
import { openThreadAdvice } from "./open-thread.ts";
import { outageReport } from "./outage-report.ts";
import type { ProxyAddress } from "./proxy-address.ts";
import { proxyForRun } from "./proxy-for-run.ts";
import { requireProxy } from "./require-proxy.ts";
import { type RunFlags, resumeLine, runLine, savedThread } from "./resume-line.ts";
import { type RunHome, runHomeOf } from "./run-home.ts";
import { configSources, prepareRuntime } from "./runtime-home.ts";
import {
  bypassReport,
  isInteractive,
  isSilent,
  noteBypass,
  othersReport,
  type RunChoice,
  tagRun,
  trafficOf,
} from "./tagged-run.ts";
import { runWaiting } from "./waiting-run.ts";

/** The flags of this command. All other arguments are for Codex. */
const FLAGS = {
  ...ROOT_FLAG,
  ...PROXY_URL_FLAG,
  ...CODEX_BIN_FLAG,
  "codex-home": {
    type: "string",
    description: "CODEX_HOME for Codex (default: your own, linked)",
    valueHint: "DIR",
  },
  "isolated-home": {
    type: "boolean",
    description: "Use a CODEX_HOME with threads of its own, ROOT/runtime",
  },
  "native-home": {
    type: "boolean",
    description: "Use your own CODEX_HOME and its login, without writing to it",
  },
  account: {
    type: "string",
    description: "Pin this run to an account of the proxy",
    valueHint: "ALIAS",
  },
  tag: {
    type: "string",
    description: "Prefer accounts with one of these tags for this run",
    valueHint: "TAG,...",
  },
  only: {
    type: "boolean",
    description: "With --tag: refuse turns if no account with such a tag can serve",
  },
  wait: {
    type: "string",
    description:
      "If every account is exhausted, let turns wait up to this long for a reset (--wait alone: 8h)",
    valueHint: "DURATION",
    bareValue: RUN_WAIT,
    looksLikeValue: (word: string) => word === "off" || durationOf(word) !== undefined,
  },
  "auto-start": {
    type: "boolean",
    description:
      "Start a proxy for this run if none is running (default on a terminal; --auto-start=false: do not)",
  },
  command: { type: "boolean", description: "Print the Codex command instead of running it" },
} as const;

export default defineCommand({
  meta: {
    name: "codexlb run",
    description: "Run Codex through the proxy; arguments for Codex follow the flags",
  },
  args: {
    ...FLAGS,
    arguments: { type: "positional", description: "Arguments for Codex", required: false },
  },
  run: async ({ args, rawArgs }) => {
    if (args.command && args.account?.trim())
      throw usage(
        "run: --command and --account cannot be combined",
        `leave one of them out, or pin all runs: ${advised("account pin", "ALIAS")}`,
      );
    const tags = tagDemand("run", args);
    const other = args.command ? "--command" : args.account?.trim() ? "--account" : undefined;
    if (tags !== undefined && other !== undefined)
      throw usage(`run: ${other} and --tag cannot be combined`, "leave one of them out");
    if (args.account?.trim() === "")
      throw usage("run: --account is empty", `leave it out, or name an account: ${advised("account list")}`);
    if (args.account?.trim().startsWith("--"))
      throw usage(
        `run: flag --account needs an alias before ${args.account.trim()}`,
        `name an account: ${advised("account list")} shows them`,
      );
    const waitSeconds = waitSecondsOf(args.wait);
    if (waitSeconds !== undefined && args.command)
      throw usage("run: --command and --wait cannot be combined", "leave one of them out");
    const homes = ["native-home", "codex-home", "isolated-home"] as const;
    const [home, otherHome] = homes.filter(
      (name) => args[name] === true || `${args[name] ?? ""}`.trim() !== "",
    );
    if (home !== undefined && otherHome !== undefined)
      throw usage(`run: --${home} and --${otherHome} cannot be combined`, "leave one of them out");
    const context = contextOf(args.root);
    if (!args.command) requireRoot(context);
    const { deps } = context;
    const config = await configOf(context);
    const job: Job = {
      context,
      binary: codexBinary(args["codex-bin"], deps.env),
      home: args["native-home"]
        ? undefined
        : runHomeOf(context, { codexHome: args["codex-home"], isolated: args["isolated-home"] }),
      prefix: config.commands.run,
      args: rawArgs,
      flags: args,
      aliases: () => knownAliases(context, args),
    };
    const location = await locate(context, args);
    if (args.command) {
      const proxyUrl = servingUrl(context, location);
      return print(`${commandLine(commandOf(job, { proxyUrl, home: job.home }), deps.env)}\n`);
    }
    const proxy = await proxyForRun(context, location, args["auto-start"]);
    try {
      const account = args.account?.trim() || undefined;
      if (!isSilent(job.args)) await requireProxy(context, proxy);
      const shell = config.run.inherit_shell ? deps.env.SHELL?.trim() || "/bin/sh" : undefined;
      await endAs(await runAt(job, proxy, { account, tags, waitSeconds }, shell));
    } finally {
      proxy.leave();
    }
  },
});

// --- internal ---

/** The value of `--wait` in whole seconds; undefined if the run does not wait. Throws `usage`. */
function waitSecondsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = waitBoundOf(value.trim());
  if (ms === undefined)
    throw usage(
      `flag --wait: ${JSON.stringify(value)} is neither off nor a duration above 0 and of at most a week`,
      "write it after an equals sign: --wait=6h",
    );
  return ms === 0 ? undefined : Math.ceil(ms / 1000);
}

/** The parts of the Codex command that do not depend on the proxy. */
interface Job {
  readonly context: CommandContext;
  readonly binary: string;
  /** Undefined means the user's own home. */
  readonly home: RunHome | undefined;
  readonly prefix: readonly string[];
  readonly args: readonly string[];
  readonly flags: RunFlags;
  /** Lists the proxy's accounts; undefined if the proxy does not list them. */
  readonly aliases: () => Promise<readonly string[] | undefined>;
}

/** The way to the proxy, and the home that was prepared for it. */
interface ProxyRoute {
  readonly proxyUrl: string;
  readonly home: RunHome | undefined;
  readonly pathKey?: string | undefined;
  readonly tag?: RunTag | undefined;
}

function commandOf({ context, ...job }: Job, { proxyUrl, home, pathKey, tag }: ProxyRoute) {
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

async function runAt(
  job: Job,
  address: ProxyAddress,
  chosen: RunChoice,
  shell: string | undefined,
): Promise<Ended> {
  const { deps } = job.context;
  const proxyUrl = address.url;
  const prepared = job.home === undefined ? undefined : await prepareRuntime(job.context, job.home, address);
  const home = prepared?.home.path ?? (await nativeHome(job.context, address));
  const door = { url: proxyUrl, stub: prepared?.token };
  const tag = await tagRun(door, chosen, deps, job.aliases);
  const route = { proxyUrl, home: prepared?.home, pathKey: prepared?.pathKey, tag };
  const start = (args: readonly string[]) =>
    runCodex({ command: commandOf({ ...job, args }, route), shell, self: selfCommand(), env: deps.env });
  const ended =
    tag?.waitSeconds === undefined || isSilent(job.args)
      ? await start(job.args)
      : await runWaiting({
          deps,
          args: job.args,
          isInteractive: isInteractive(job.args),
          waitMs: tag.waitSeconds * 1000,
          start,
          traffic: () => trafficOf(door, tag),
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

/** The reason why Codex did not start; undefined if it started. */
function startProblem(ended: Ended, { binary, args }: Job): string | undefined {
  if (ended.kind === "signal") return undefined;
  const failure = Bun.which(binary) === null ? SHELL_FAILURES.get(ended.code) : undefined;
  if (failure !== undefined) return `${binary} ${failure}; ${INSTALL_CODEX}`;
  return ended.code === CODEX_USAGE ? misplacedFlag(args, Object.keys(FLAGS)) : undefined;
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

/** Ends this process like Codex: with the same exit code, or by the same signal. */
async function endAs(ended: Ended): Promise<void> {
  if (ended.kind === "exit") {
    process.exitCode = ended.code;
    return;
  }
  process.kill(process.pid, ended.signal);
  // A signal that this process ignores, such as SIGPIPE, does not end it. Then the exit code reports the signal.
  await Bun.sleep(SIGNAL_GRACE_MS);
  process.exitCode = 128 + constants.signals[ended.signal];
}

const SIGNAL_GRACE_MS = 100;
