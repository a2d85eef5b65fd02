// `codexlb upgrade`: replaces this executable with the one from a release, and restarts the service that runs it.

import { realpathSync } from "node:fs";
import { defineCommand } from "citty";
import { runningProxy } from "../../admin/daemon.ts";
import { advised } from "../../advice.ts";
import { NEWEST_RELEASE } from "../../core/project-pages.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { printMessage } from "../../print.ts";
import { programRunner } from "../../service/run-program.ts";
import { requireStartable } from "../../service/start-check.ts";
import type { Layout } from "../../state/layout.ts";
import { activate } from "../../upgrade/activate.ts";
import { ownedError, packageOwner } from "../../upgrade/package-manager.ts";
import { releaseSource } from "../../upgrade/source.ts";
import { targetOf, thisMachine } from "../../upgrade/target.ts";
import {
  compareWithRelease,
  type UpgradeOptions,
  type UpgradeResult,
  upgradeExecutable,
} from "../../upgrade/upgrade.ts";
import { isNewer, VERSION } from "../../version.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { catchInterruption, type Interruption } from "../interruption.ts";
import { isCompiled } from "../self.ts";
import { type FoundService, restartAdvice, runningServices } from "../service/running-services.ts";
import { waitingFor } from "../terminal/terminal.ts";

export default defineCommand({
  meta: {
    name: "codexlb upgrade",
    description: "Replace this executable with the one from a release, and restart the service",
  },
  args: {
    ...ROOT_FLAG,
    from: {
      type: "string",
      description: "Directory or URL with the release's SHA256SUMS and archives (CODEXLB_RELEASE)",
      valueHint: "DIR|URL",
    },
    check: { type: "boolean", description: "Compare the versions, and change nothing" },
    "allow-older": { type: "boolean", description: "Install the release even if it is older" },
    restart: {
      type: "boolean",
      description: "Restart the service if it runs this executable (--restart=false: do not)",
      default: true,
    },
  },
  run: async ({ args }) => {
    const { deps, layout } = contextOf(args.root);
    using interruption = catchInterruption();
    const options = await optionsOf(args, deps, interruption.signal);
    const { place } = options.source;
    if (args.check) {
      const { archive, release } = await unlessInterrupted(
        interruption,
        waitingFor(`reading ${place}`, compareWithRelease(options)),
      );
      return printMessage(COMPARED[release](archive.version));
    }
    let service: FoundService | undefined;
    const upgraded = await unlessInterrupted(
      interruption,
      waitingFor(
        `reading ${place}`,
        upgradeExecutable(
          {
            ...options,
            beforeReplacing: async () => {
              service = args.restart ? await serviceOf(options.executable, deps) : undefined;
              if (service !== undefined) await requireStartable(service.service);
            },
          },
          { run: programRunner(deps.env), random: deps.random, signal: interruption.signal },
        ),
      ),
    );
    if (upgraded === undefined) {
      printMessage(COMPARED.same(VERSION));
      return await reportOldProxy(VERSION, layout, deps);
    }
    const { version } = upgraded;
    await waitingFor("restarting the service", activateOrRestore(upgraded, service, interruption, deps));
    try {
      upgraded.refreshExtras();
    } catch (error) {
      deps.log.warn(
        `updating the manual page and completions failed, so they are still those of ${VERSION}: ${messageOf(error)}`,
      );
    }
    printMessage(
      `${Bun.semver.order(version, VERSION) < 0 ? "downgraded" : "upgraded"} ${options.executable} from ${VERSION} to ${version}${service === undefined ? "" : ", and restarted the service"}`,
    );
    await reportOldProxy(version, layout, deps);
  },
});

// --- internal ---

const COMPARED = {
  newer: (version: string) => `version ${version} is available; this is ${VERSION}`,
  same: (version: string) => `version ${version} is up to date`,
  older: (version: string) => `this is ${VERSION}, which is newer than the release ${version}`,
} as const;

async function optionsOf(
  flags: { readonly from?: string | undefined; readonly "allow-older"?: boolean | undefined },
  deps: Deps,
  signal: AbortSignal,
): Promise<UpgradeOptions> {
  const flag = flags.from?.trim();
  const from = flag || deps.env.CODEXLB_RELEASE?.trim();
  if (!isCompiled())
    throw new CodexlbError("upgrade_refused", "this codexlb runs from its sources", {
      next: "upgrade it with git, and build it with: make build",
    });
  if (!from) {
    const path = realpathSync(process.execPath);
    const owner = await packageOwner(path, undefined, programRunner(deps.env));
    throw owner === undefined
      ? usage(
          "upgrade needs a release",
          `name its directory or URL with --from or CODEXLB_RELEASE; the newest is ${NEWEST_RELEASE}`,
        )
      : ownedError(path, owner);
  }
  return {
    source: releaseSource(from, deps, { by: flag ? "--from" : "CODEXLB_RELEASE", signal }),
    target: targetOf(thisMachine()),
    executable: process.execPath,
    version: VERSION,
    allowOlder: flags["allow-older"] ?? false,
  };
}

/** The error of `work`, or the one for an interruption if that was the reason. */
async function unlessInterrupted<T>(interruption: Interruption, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw interruption.signal.aborted ? interruption.error("nothing was changed") : error;
  }
}

/** The running service that runs `executable`. */
async function serviceOf(executable: string, deps: Deps): Promise<FoundService | undefined> {
  const services = await runningServices(deps);
  return services.find(({ service }) => isSameFile(service.command[0] ?? "", executable));
}

/**
 * Restarts `service`, if there is one. Throws `upgrade_failed` or `interrupted` after it restored the previous version.
 */
async function activateOrRestore(
  { version, replacement }: UpgradeResult,
  service: FoundService | undefined,
  interruption: Interruption,
  deps: Deps,
): Promise<void> {
  const activation = await activate({
    replacement,
    restart: async () => service?.restart(),
    signal: interruption.signal,
    onRollback: () => {
      if (interruption.signal.aborted && service !== undefined)
        deps.log.info(`interrupted; version ${VERSION} was restored, and its service is restarting`);
    },
  });
  if (activation.kind === "active") return;
  const next =
    service === undefined
      ? `try again with: ${advised("upgrade")}`
      : `see why: ${service.manager.command("logs")}`;
  const { problem } = activation;
  if (activation.kind === "interrupted")
    throw problem === undefined
      ? interruption.error(`version ${VERSION} is installed, as before`)
      : interruption.error(
          `version ${VERSION} was restored, but its service failed to restart: ${problem}`,
          next,
        );
  const cause = messageOf(activation.cause);
  const result =
    problem === undefined
      ? `, so version ${VERSION} was restored: ${cause}`
      : ` (${cause}); version ${VERSION} was restored, but the service failed to start again: ${problem}`;
  throw new CodexlbError("upgrade_failed", `the service failed to start with version ${version}${result}`, {
    next,
    cause: activation.cause,
  });
}

function isSameFile(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}

/** Reports a proxy on the root that is older than the installed executable, or runs the version it replaced. */
async function reportOldProxy(installed: string, layout: Layout, deps: Deps): Promise<void> {
  // A proxy whose answer this version cannot read does not make the upgrade a failure.
  const info = await runningProxy(layout.adminSocket).catch(() => undefined);
  if (info === undefined || info.version === installed || isNewer(info.version)) return;
  deps.log.info(
    `the proxy on ${layout.root} (process ${info.pid}) still runs version ${info.version}; ${await restartAdvice(info.pid, deps)}`,
  );
}
