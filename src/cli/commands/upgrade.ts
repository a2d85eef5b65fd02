// `codexlb upgrade`: replaces this executable with the one from a release, and restarts the service that runs it.

import { realpathSync } from "node:fs";
import { defineCommand } from "citty";
import { runningProxy } from "../../admin/daemon.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { print } from "../../print.ts";
import { programRunner } from "../../service/run-program.ts";
import { releaseSource } from "../../upgrade/source.ts";
import { targetOf, thisMachine } from "../../upgrade/target.ts";
import { compareWithRelease, type UpgradeOptions, upgradeExecutable } from "../../upgrade/upgrade.ts";
import { VERSION } from "../../version.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { isCompiled } from "../self.ts";
import { restartAdvice, runningServices } from "../service/running.ts";
import { waitingFor } from "../terminal.ts";

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
    const options = optionsOf(args, deps);
    const { place } = options.source;
    if (args.check) {
      const { archive, release } = await waitingFor(`reading ${place}`, compareWithRelease(options));
      return print(`${COMPARED[release](archive.version)}\n`);
    }
    const run = programRunner(deps.env);
    const upgraded = await waitingFor(
      `reading ${place}`,
      upgradeExecutable(options, { run, random: deps.random }),
    );
    if (upgraded === undefined) return print(`${COMPARED.same(VERSION)}\n`);
    const { version, replacement } = upgraded;
    const service = args.restart
      ? (await runningServices(deps)).find((one) =>
          isSameFile(one.service.command[0] ?? "", options.executable),
        )
      : undefined;
    try {
      await waitingFor("restarting the service", service?.restart() ?? Promise.resolve());
    } catch (error) {
      replacement.undo();
      await service?.restart();
      throw new CodexlbError(
        "upgrade_failed",
        `the service failed to start with version ${version}, so version ${VERSION} was restored: ${messageOf(error)}`,
        { next: "see why: codexlb service logs", cause: error },
      );
    }
    replacement.keep();
    try {
      upgraded.refreshExtras();
    } catch (error) {
      deps.log.warn(
        `updating the manual page and completions failed, so they are still those of ${VERSION}: ${messageOf(error)}`,
      );
    }
    print(
      `upgraded ${options.executable} from ${VERSION} to ${version}${service === undefined ? "" : ", and restarted the service"}\n`,
    );
    const outdated = await proxyOfVersion(layout.adminSocket, VERSION);
    if (outdated !== undefined)
      deps.log.info(
        `the proxy on ${layout.root} (process ${outdated}) still runs version ${VERSION}; ${await restartAdvice(outdated, deps)}`,
      );
  },
});

// --- internal ---

const COMPARED = {
  newer: (version: string) => `version ${version} is available; this is ${VERSION}`,
  same: (version: string) => `version ${version} is up to date`,
  older: (version: string) => `this is ${VERSION}, which is newer than the release ${version}`,
} as const;

function optionsOf(
  flags: { readonly from?: string | undefined; readonly "allow-older"?: boolean | undefined },
  deps: Deps,
): UpgradeOptions {
  const from = flags.from?.trim() || deps.env.CODEXLB_RELEASE?.trim();
  if (!from)
    throw usage("upgrade needs a release", "name its directory or URL with --from or CODEXLB_RELEASE");
  if (!isCompiled())
    throw new CodexlbError("upgrade_refused", "this codexlb runs from its sources", {
      next: "upgrade it with git, and build it with: make build",
    });
  return {
    source: releaseSource(from, deps),
    target: targetOf(thisMachine()),
    executable: process.execPath,
    version: VERSION,
    allowOlder: flags["allow-older"] ?? false,
  };
}

function isSameFile(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}

/** The process of the proxy behind `socket`, if the proxy runs `version`. */
async function proxyOfVersion(socket: string, version: string): Promise<number | undefined> {
  const info = await runningProxy(socket);
  return info?.version === version ? info.pid : undefined;
}
