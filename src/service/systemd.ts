// Runs the service in systemd: in the user manager or system-wide.

import { join } from "node:path";
import { advised } from "../advice.ts";
import { counted } from "../core/count-words.ts";
import { docsPage } from "../core/project-pages.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { NOT_FOUND, type RunProgram, whyFailed } from "./run-program.ts";
import { type ServiceManager, STOP_BREW_SERVICE, serviceCommand } from "./service.ts";
import { execStartIn, systemdUnit } from "./systemd-unit.ts";

export interface SystemdOptions {
  /** The directory of the unit. */
  readonly directory: string;
  /** False: the service is the user's own. */
  readonly isSystem: boolean;
  readonly env: Deps["env"];
  readonly run: RunProgram;
}

export const UNIT = "codexlb-proxy.service";

/** The unit directory of a user whose home is `home`. */
export function userUnitDirectory(home: string): string {
  return join(home, ".config", "systemd", "user");
}

export const SYSTEM_UNIT_DIRECTORY = "/etc/systemd/system";

export function createSystemd({ directory, isSystem, env, run }: SystemdOptions): ServiceManager {
  const systemctl = (...words: string[]) => ["systemctl", ...(isSystem ? [] : ["--user"]), ...words];
  return {
    name: isSystem ? "systemd (system-wide)" : "systemd (user)",
    file: join(directory, UNIT),
    command: (word) => serviceCommand(word, ...(isSystem ? ["--system"] : [])),
    others: [
      {
        file: join(directory, "codexlb.service"),
        stop: systemctl("disable", "--now", "codexlb.service").join(" "),
      },
      { file: join(directory, "homebrew.codexlb.service"), stop: STOP_BREW_SERVICE },
    ],
    text: systemdUnit,
    commandIn: execStartIn,
    directoriesFor: () => [],
    installSteps: () => [
      { argv: systemctl("daemon-reload") },
      { argv: systemctl("enable", UNIT) },
      { argv: systemctl("restart", UNIT) },
    ],
    stopSteps: () => [{ argv: systemctl("disable", "--now", UNIT), mayFail: true }],
    forgetSteps: () => [
      { argv: systemctl("daemon-reload") },
      { argv: systemctl("reset-failed", UNIT), mayFail: true },
    ],
    restartSteps: () => [{ argv: systemctl("restart", UNIT) }],
    pauseSteps: () => [{ argv: systemctl("stop", UNIT) }],
    logCommand: ({ lines, follow }) => [
      "journalctl",
      isSystem ? `--unit=${UNIT}` : `--user-unit=${UNIT}`,
      "--no-pager",
      `--lines=${lines}`,
      ...(follow ? ["--follow"] : []),
    ],
    problem: async () => {
      const ran = await run(systemctl("show", "--property=Version"));
      if (ran.code === 0) return undefined;
      const isMissing = ran.code === NOT_FOUND;
      const why = isMissing ? "systemctl is not installed" : whyFailed(ran);
      return new CodexlbError(
        "service_manager_unavailable",
        `connecting to ${isSystem ? "systemd" : "the user's systemd"}: ${why}`,
        { next: isMissing ? withoutSystemd() : nextWithout(env, isSystem) },
      );
    },
    state: async () => {
      const { out } = await run(systemctl("show", UNIT, `--property=${PROPERTIES.join(",")}`));
      const properties = new Map(
        out.split("\n").map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)] as const),
      );
      const of = (name: (typeof PROPERTIES)[number]) => properties.get(name) ?? "";
      const pid = Number(of("MainPID"));
      const restarts = Number(of("NRestarts"));
      return {
        enabled: of("UnitFileState").startsWith("enabled"),
        running: of("ActiveState") === "active" || of("ActiveState") === "reloading",
        pid: pid > 0 ? pid : undefined,
        detail: [
          ...(of("ActiveState") === "" ? [] : [`${of("ActiveState")} (${of("SubState")})`]),
          ...(["", "success"].includes(of("Result")) ? [] : [`last result: ${of("Result")}`]),
          ...(restarts > 0 ? [`restarted ${counted(restarts, "time")}`] : []),
          ...(of("StatusText") === "" ? [] : [of("StatusText")]),
          ...(of("NeedDaemonReload") === "yes"
            ? [`the unit file changed; load it with: ${systemctl("daemon-reload").join(" ")}`]
            : []),
        ].join("; "),
      };
    },
    hints: async () => (isSystem ? [] : lingerHint(env, run)),
  };
}

// --- internal ---

const PROPERTIES = [
  "ActiveState",
  "SubState",
  "UnitFileState",
  "MainPID",
  "Result",
  "NRestarts",
  "StatusText",
  "NeedDaemonReload",
] as const;

/** Advises to enable lingering: without it, systemd stops a user's services when the user logs out. */
async function lingerHint({ USER: user }: Deps["env"], run: RunProgram): Promise<string[]> {
  const named = user ? [user] : [];
  const { code, out } = await run(["loginctl", "show-user", ...named, "--property=Linger", "--value"]);
  if (code !== 0 || out.trim() !== "no") return [];
  return [`to keep it running while you are logged out: loginctl enable-linger${user ? ` ${user}` : ""}`];
}

function withoutSystemd(): string {
  return `on a system without systemd, start ${advised("proxy")} from your init system: ${docsPage("service")}`;
}

function nextWithout(env: Deps["env"], isSystem: boolean): string {
  if (env.WSL_DISTRO_NAME)
    return "enable systemd: write systemd=true below [boot] in /etc/wsl.conf, then run wsl.exe --shutdown";
  return isSystem || env.XDG_RUNTIME_DIR
    ? withoutSystemd()
    : `log in as this user directly (not with su or sudo), or first run: loginctl enable-linger; ${withoutSystemd()}`;
}
