// Runs the service in launchd, as an agent of the user.

import { join } from "node:path";
import { advised } from "../advice.ts";
import { docsPage } from "../core/project-pages.ts";
import { CodexlbError } from "../errors.ts";
import { layoutOf } from "../state/layout.ts";
import { LAUNCHD_LABEL, launchdLogs, launchdPlist, programArgumentsIn } from "./launchd-plist.ts";
import { NOT_FOUND, type RunProgram, whyFailed } from "./run-program.ts";
import { type ServiceManager, STOP_BREW_SERVICE, serviceCommand } from "./service.ts";

export interface LaunchdOptions {
  /** The directory of the property list. */
  readonly directory: string;
  /** The user's id. */
  readonly uid: number;
  readonly run: RunProgram;
}

/** The launch agent directory of the user whose home is `home`. */
export function agentDirectory(home: string): string {
  return join(home, "Library", "LaunchAgents");
}

export function createLaunchd({ directory, uid, run }: LaunchdOptions): ServiceManager {
  const file = join(directory, `${LAUNCHD_LABEL}.plist`);
  const domain = `gui/${uid}`;
  const service = `${domain}/${LAUNCHD_LABEL}`;
  /** `bootout` returns before the agent has stopped, and launchd refuses to load the agent until it has. */
  const unload = [
    { argv: ["launchctl", "bootout", service], mayFail: true },
    { argv: ["launchctl", "print", service], untilItFails: true },
  ];
  return {
    name: "launchd",
    file,
    command: (word) => serviceCommand(word),
    others: [
      { file: join(directory, "codexlb.plist"), stop: `launchctl bootout ${domain}/codexlb` },
      { file: join(directory, "homebrew.mxcl.codexlb.plist"), stop: STOP_BREW_SERVICE },
    ],
    text: launchdPlist,
    commandIn: programArgumentsIn,
    // launchd creates the output files, but not their directory.
    directoriesFor: (root) => [layoutOf(root).logs],
    installSteps: () => [
      ...unload,
      { argv: ["launchctl", "enable", service] },
      { argv: ["launchctl", "bootstrap", domain, file] },
    ],
    stopSteps: () => unload,
    forgetSteps: () => [],
    // Unlike `kickstart -k`, this lets turns in flight finish; KeepAlive then starts the agent again.
    restartSteps: () => [{ argv: ["launchctl", "kill", "SIGTERM", service] }],
    pauseSteps: () => unload,
    logCommand: ({ lines, follow, root }) => [
      "tail",
      ...(follow ? ["-F"] : []),
      "-n",
      String(lines),
      launchdLogs(root).err,
    ],
    problem: async () => {
      const ran = await run(["launchctl", "print", domain]);
      if (ran.code === 0) return undefined;
      const isMissing = ran.code === NOT_FOUND;
      return new CodexlbError(
        "service_manager_unavailable",
        `connecting to launchd: ${isMissing ? "launchctl is not installed" : whyFailed(ran)}`,
        {
          next: isMissing
            ? `on a system without launchd, start ${advised("proxy")} from your init system: ${docsPage("service")}`
            : "log in on this Mac's own screen: launchd has no session for agents over ssh alone",
        },
      );
    },
    state: async () => {
      const { code, out } = await run(["launchctl", "print", service]);
      const disabled = await run(["launchctl", "print-disabled", domain]);
      const value = (name: string) => new RegExp(`^\\s*${name} = (.*)$`, "m").exec(out)?.[1]?.trim();
      const pid = Number(value("pid"));
      const lastExit = value("last exit code");
      return {
        enabled: code === 0 && !isDisabled(disabled.out),
        running: code === 0 && value("state") === "running",
        pid: pid > 0 ? pid : undefined,
        detail: [
          code === 0 ? (value("state") ?? "loaded") : "not loaded",
          ...(lastExit === undefined || lastExit === "0" || lastExit.startsWith("(")
            ? []
            : [`last exit code ${lastExit}`]),
        ].join("; "),
      };
    },
    hints: async () => [],
  };
}

// --- internal ---

/** Reads the output of `launchctl print-disabled`; older systems print `true` instead of `disabled`. */
function isDisabled(out: string): boolean {
  return new RegExp(`"${LAUNCHD_LABEL.replaceAll(".", "\\.")}" => (?:disabled|true)\\b`).test(out);
}
