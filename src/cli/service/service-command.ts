// `codexlb service ...`: runs the proxy as a systemd or launchd service.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { docsPage } from "../../core/project-pages.ts";
import { systemDeps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { print, printJson, printMessage } from "../../print.ts";
import { quote } from "../../quote.ts";
import { installedService, otherServices } from "../../service/installed.ts";
import {
  type InstallResult,
  installService,
  notInstalled,
  restartService,
  uninstallService,
} from "../../service/operations.ts";
import { printOutputOf } from "../../service/run-program.ts";
import type { ServiceManager, Step } from "../../service/service.ts";
import { requireUserAccess } from "../../service/user-access.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { integerFlag } from "../flags.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { pathWarning } from "./lasting-path.ts";
import { MANAGER_FLAGS, managerFor, requireRightUser, serviceOptions } from "./service-flags.ts";
import { serviceStatus, statusTexts } from "./service-status.ts";

const DRY_RUN = {
  "dry-run": { type: "boolean", description: "Print what the command would do, and change nothing" },
} as const;

const install = defineCommand({
  meta: { name: "codexlb service install", description: "Install the proxy as a service, and start it" },
  args: {
    ...ROOT_FLAG,
    ...MANAGER_FLAGS,
    binary: {
      type: "string",
      description: "Executable that the service runs (default: this one)",
      valueHint: "PATH",
    },
    listen: {
      type: "string",
      description: "Address that the service listens on (default: config.toml decides)",
      valueHint: "HOST:PORT",
    },
    upstream: {
      type: "string",
      description: "Backend of the accounts (default: config.toml decides)",
      valueHint: "URL",
    },
    user: {
      type: "string",
      description: "With --system: the user that the service runs as (default codexlb)",
      valueHint: "NAME",
    },
    ...DRY_RUN,
  },
  run: async ({ args }) => {
    const deps = systemDeps();
    const { manager, run } = managerFor(args, deps);
    const options = await serviceOptions(args, deps, run);
    const warning = pathWarning(options.binary);
    if (warning !== undefined) deps.log.warn(warning);
    if (args["dry-run"])
      return print(`# ${manager.file}\n${manager.text(options)}\n${commandList(manager.installSteps())}`);
    requireRightUser(args, deps);
    await requireUserAccess(options, run);
    const result = await waitingFor(
      "starting the service",
      installService(manager, options, { run, sleep: Bun.sleep }),
    );
    printMessage(installMessage(result, manager));
    const notes = [
      ...(await manager.hints()),
      ...otherServices(manager).map(
        ({ file, stop }) => `${file} starts a second proxy on the same root; stop it with: ${stop}`,
      ),
      ...environmentNotes(deps.env),
    ];
    for (const note of notes) deps.log.info(note);
  },
});

const uninstall = defineCommand({
  meta: {
    name: "codexlb service uninstall",
    description: "Stop the service and remove it; keep the state directory",
  },
  args: { ...MANAGER_FLAGS, ...DRY_RUN },
  run: async ({ args }) => {
    const deps = systemDeps();
    const { manager, run } = managerFor(args, deps);
    if (args["dry-run"])
      return print(
        commandList([...manager.stopSteps(), { argv: ["rm", manager.file] }, ...manager.forgetSteps()]),
      );
    requireRightUser(args, deps);
    const removed = await waitingFor(
      "stopping the service",
      uninstallService(manager, { run, sleep: Bun.sleep }),
    );
    if (removed === undefined) return printMessage("the service is not installed");
    const { previous } = removed;
    printMessage(
      `uninstalled ${manager.file}${previous === undefined ? "" : `; a copy of the file is ${previous}`}`,
    );
  },
});

const restart = defineCommand({
  meta: {
    name: "codexlb service restart",
    description: "Restart the service after requests in flight have finished",
  },
  args: { ...MANAGER_FLAGS, ...DRY_RUN },
  run: async ({ args }) => {
    const deps = systemDeps();
    const { manager, run } = managerFor(args, deps);
    if (args["dry-run"]) return print(commandList(manager.restartSteps()));
    requireRightUser(args, deps);
    await waitingFor("restarting the service", restartService(manager, { run, sleep: Bun.sleep }));
    printMessage("restarted the service");
  },
});

const status = defineCommand({
  meta: {
    name: "codexlb service status",
    description: "Show whether the service is installed, enabled and running, and what it runs",
  },
  args: { ...MANAGER_FLAGS, json: { type: "boolean", description: "Print JSON" } },
  run: async ({ args }) => {
    const deps = systemDeps();
    const { manager } = managerFor(args, deps);
    const found = await serviceStatus(manager);
    if (args.json) printJson(found, 2);
    else for (const { name, value } of statusTexts(found, manager)) printMessage(value, name);
    if (!found.installed) throw notInstalled(manager);
    if (!found.running)
      throw new CodexlbError("unhealthy", "the service is not running", {
        next: `see why: ${manager.command("logs")}; start it with: ${manager.command("restart")}`,
      });
  },
});

const logs = defineCommand({
  meta: {
    name: "codexlb service logs",
    description: "Print the service's output (codexlb proxy logs prints the proxy's events)",
  },
  args: {
    ...MANAGER_FLAGS,
    lines: {
      type: "string",
      description: "Print the last N lines",
      default: "100",
      valueHint: "N",
    },
    follow: { type: "boolean", description: "Keep printing new lines" },
  },
  run: async ({ args }) => {
    const deps = systemDeps();
    const { manager } = managerFor(args, deps);
    const lines = Math.max(integerFlag(args.lines, "lines") ?? 0, 0);
    const service = installedService(manager);
    if (service === undefined) throw notInstalled(manager);
    await printOutputOf(
      manager.logCommand({ lines, follow: args.follow ?? false, root: service.root }),
      deps.env,
      `see the proxy's own event log: ${advised("proxy logs", "--root", service.root)}`,
    );
  },
});

export default defineCommand({
  meta: { name: "codexlb service", description: "Run the proxy as a systemd or launchd service" },
  subCommands: { install, uninstall, status, logs, restart },
});

// --- internal ---

function installMessage({ change, previous }: InstallResult, { file }: ServiceManager): string {
  if (change === "unchanged") return `${file} is up to date, and the service is running`;
  const text = {
    installed: `installed ${file}, and started the service`,
    updated: `updated ${file}, and restarted the service`,
    restarted: `${file} is unchanged; restarted the service`,
    replaced: `replaced ${file}, and restarted the service; the previous file is ${previous}`,
  };
  return text[change];
}

function commandList(steps: readonly Step[]): string {
  const lines = steps.map(
    ({ argv, mayFail, untilItFails }) =>
      `${argv.map(quote).join(" ")}${untilItFails ? "  # repeated until it fails" : mayFail ? "  # may fail" : ""}\n`,
  );
  return `# commands\n${lines.join("")}`;
}

/** Warns about the proxy's variables in this shell, because the service inherits the service manager's environment. */
function environmentNotes(env: Readonly<Record<string, string | undefined>>): string[] {
  const found = PROXY_VARIABLES.filter((name) => env[name]);
  if (found.length === 0) return [];
  return [
    `the service does not inherit ${found.join(", ")} from this shell; ${docsPage("service")} describes how to set variables for it`,
  ];
}

const PROXY_VARIABLES: readonly string[] = [
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
  "CODEX_CA_CERTIFICATE",
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "CODEXLB_PROXY_NAME",
  "CODEXLB_CHILD_PROXY_URLS",
  "CODEXLB_ALLOW_UNAUTHENTICATED",
  "CODEXLB_TOKEN_URL",
];
