// The step of `codexlb init` that starts the proxy: in the background, or as a service.

import { type Daemon, daemonAt } from "../../admin/daemon.ts";
import { advised } from "../../advice.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { effectiveConfig, readConfigFile } from "../../state/config-source.ts";
import { rootExists } from "../context.ts";
import { isCompiled } from "../self.ts";
import { type FoundService, foundServices } from "../service/running-services.ts";
import { managerFor } from "../service/service-flags.ts";
import { canServe } from "./pool-state.ts";
import type { SetUp } from "./set-up.ts";
import { CHANGED, type Choice, FAILED, NEEDS_ROOT, needsAccount, type Step, type StepState } from "./step.ts";

/** The service that the step can install. */
export interface OfferedService {
  /** The service manager, such as `systemd (user)`. */
  readonly name: string;
  /** The file that defines the service. */
  readonly file: string;
  /** Why the service cannot be installed; undefined if it can. */
  problem(): Promise<string | undefined>;
}

/** `prefersService`: the service is the suggested and the preset answer. `offered`: the service to install (default: that
 * of this machine). */
export function proxyStep(
  setUp: SetUp,
  prefersService: boolean,
  offered: OfferedService = serviceOf(setUp),
): Step {
  const { context } = setUp;
  return {
    title: "Proxy",
    detect: async () => {
      if (!rootExists(context)) {
        if (prefersService) await requireService(offered);
        return NEEDS_ROOT;
      }
      const daemon = await daemonAt(context.layout.adminSocket);
      const services = await foundServices(context.deps);
      const service = services.find((one) => one.service.root === context.layout.root);
      const running = runningState(daemon, service, prefersService, setUp.again);
      if (running !== undefined) return running;
      if (!(await canServe(context))) return needsAccount();
      if (service !== undefined) return installedOffer(setUp, service);
      return startOffer(setUp, prefersService, offered);
    },
  };
}

// --- internal ---

/** The state if a proxy is running; undefined if none accepts requests. */
function runningState(
  daemon: Daemon,
  service: FoundService | undefined,
  prefersService: boolean,
  again: string,
): StepState | undefined {
  if (daemon.kind === "none")
    return service?.running
      ? { kind: "done", detail: `the service runs (${service.manager.file}), and its proxy is starting` }
      : undefined;
  if (daemon.kind === "silent")
    return {
      kind: "unavailable",
      detail: "a proxy is running and does not answer",
      next: "find its process with: pgrep -fl codexlb; if it hangs, end it with: kill -9 PID",
      isRequired: true,
    };
  const { url, pid, draining } = daemon.info();
  if (draining) return undefined;
  const isService = service?.pid === pid;
  if (prefersService && service === undefined)
    return {
      kind: "unavailable",
      detail: `a proxy that is not a service is running on ${url} (process ${pid})`,
      next: `stop it with: ${advised("proxy stop")}, then run: ${again}`,
      isRequired: true,
    };
  return { kind: "done", detail: `running on ${url} (${isService ? "service, " : ""}process ${pid})` };
}

/** Offers to start the service that is installed for the root. */
function installedOffer({ rootFlags, codexlb }: SetUp, { manager }: FoundService): StepState {
  return {
    kind: "open",
    details: [`The service of the proxy is installed (${manager.file}) and is not running.`],
    offer: {
      question: "Start it?",
      choices: [commandChoice(codexlb, "y", "start it", ["proxy", "start", ...rootFlags])],
      enter: "y",
      preset: "y",
    },
  };
}

async function startOffer(
  { context, rootFlags, codexlb }: SetUp,
  prefersService: boolean,
  offered: OfferedService,
): Promise<StepState> {
  const problem = prefersService ? await requireService(offered) : await offered.problem();
  const background = commandChoice(codexlb, "b", "start it now, until this machine restarts", [
    "proxy",
    "start",
    ...rootFlags,
  ]);
  const service = commandChoice(
    codexlb,
    "s",
    `install it as a service (${offered.name}), now and whenever you log in: writes ${offered.file}`,
    ["service", "install", ...rootFlags],
  );
  return {
    kind: "open",
    details: [
      "Codex sends its requests to the proxy, which passes them on to your accounts. No proxy is running.",
      `The proxy will listen on ${listenAddress(context)}; to change that, set proxy.listen in ${context.layout.config}.`,
      ...(problem === undefined ? [] : [`The proxy cannot be installed as a service here: ${problem}`]),
    ],
    offer: {
      question: "Start the proxy?",
      choices: problem === undefined ? [background, service] : [background],
      decline: 'not now: "codexlb run" starts one when it needs it, and stops it afterwards',
      enter: prefersService ? "s" : "b",
      preset: prefersService ? "s" : "b",
    },
  };
}

/** Throws `service_manager_unavailable` if the service cannot be installed. */
async function requireService(offered: OfferedService): Promise<undefined> {
  const problem = await offered.problem();
  if (problem !== undefined)
    throw new CodexlbError("service_manager_unavailable", `the service cannot be installed: ${problem}`, {
      next: "leave --service out: the proxy then runs in the background",
    });
}

/** The address on which a proxy would listen. */
function listenAddress({ deps, layout }: SetUp["context"]): string {
  return effectiveConfig(readConfigFile(layout), {}, deps.env).config.proxy.listen;
}

function commandChoice(
  codexlb: SetUp["codexlb"],
  key: string,
  label: string,
  words: readonly string[],
): Choice {
  return { key, label, apply: async () => ((await codexlb(words)) ? CHANGED : FAILED) };
}

/** The service of this user on this machine. */
function serviceOf({ context }: SetUp): OfferedService {
  const { manager } = managerFor({ target: "auto" }, context.deps);
  return {
    name: manager.name,
    file: manager.file,
    problem: async () => {
      if (!isCompiled()) return "this codexlb runs from its sources";
      const problem = await manager.problem();
      return problem === undefined ? undefined : messageOf(problem);
    },
  };
}
