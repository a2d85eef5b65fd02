// The text of the systemd unit: escaped, hardened as far as the proxy still works, and read back.

import { join } from "node:path";
import { CodexlbError } from "../errors.ts";
import { proxyCommand, type ServiceOptions, WRITTEN_BY } from "./service.ts";

/** The state directory of the system-wide service, made by systemd. */
export const SYSTEM_ROOT = "/var/lib/codexlb";

/**
 * The unit `codexlb-proxy.service`: for the system manager if `options` names a user, else for `systemd --user`.
 * Throws `usage` for an executable that systemd does not start.
 */
export function systemdUnit(options: ServiceOptions): string {
  const { user, binary } = options;
  if (/["'\\]/.test(binary))
    throw new CodexlbError(
      "usage",
      `systemd does not start ${binary}: its path contains a quote or a backslash`,
      {
        next: "move the executable, or name another one with --binary",
      },
    );
  const isSystem = user !== undefined;
  return [
    `# ${WRITTEN_BY}, which replaces this file when it is run again.`,
    `# Change it with a drop-in: systemctl ${isSystem ? "" : "--user "}edit codexlb-proxy.service`,
    "[Unit]",
    "Description=codexlb proxy (Codex over several ChatGPT accounts)",
    // The user manager has no network-online.target; the proxy waits for the network by itself.
    ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=notify",
    `ExecStart=${execStart(proxyCommand(options))}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=always",
    "RestartSec=2",
    "# 2: the command line is wrong, and a restart does not help.",
    "RestartPreventExitStatus=2",
    "# The proxy extends this by proxy.drain_timeout_seconds when requests are in flight.",
    "TimeoutStopSec=60",
    "# The proxy sends a ping every 30 seconds; if none arrives, systemd restarts it.",
    "WatchdogSec=60",
    ...(isSystem ? systemLines(options, user) : []),
    "# A core dump would contain access tokens.",
    "LimitCORE=0",
    "UMask=0077",
    ...HARDENING,
    ...(isSystem ? systemHardening(options) : []),
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n");
}

/** The words of the first `ExecStart=` in `unit`, ours or one that was written without quotes. */
export function execStartIn(unit: string): string[] | undefined {
  const line = /^ExecStart\s*=[-@:+!]*(.*)$/m.exec(unit)?.[1];
  if (line === undefined) return undefined;
  const words = [...line.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map(
    ([, inQuotes, bare = ""]) => inQuotes?.replaceAll(/\\(.)/g, "$1") ?? bare,
  );
  return words.map((word, at) => {
    const text = word.replaceAll("%%", "%");
    return at === 0 ? text : text.replaceAll("$$", "$");
  });
}

// --- internal ---

/** `word` in double quotes: there, too, a backslash is an escape and `%` a specifier. */
function quoted(word: string): string {
  return `"${word.replaceAll(/[\\"]/g, "\\$&").replaceAll("%", "%%")}"`;
}

/** systemd substitutes variables in the arguments, but not in the path of the executable. */
function execStart([binary = "", ...words]: readonly string[]): string {
  return [quoted(binary), ...words.map((word) => quoted(word.replaceAll("$", "$$$$")))].join(" ");
}

/**
 * What works without privileges, as the user manager applies it. MemoryDenyWriteExecute is missing because JavaScript
 * is compiled at run time, and everything that needs a mount namespace because distributions forbid those to users.
 */
const HARDENING: readonly string[] = [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "RestrictNamespaces=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
];

function systemLines({ root }: ServiceOptions, user: string): string[] {
  return [
    `User=${user}`,
    ...(root === SYSTEM_ROOT ? ["StateDirectory=codexlb", "StateDirectoryMode=0700"] : []),
  ];
}

/** What only the system manager can do: hide or protect everything except the root. */
function systemHardening({ root, binary }: ServiceOptions): string[] {
  const isUsedBelow = (...directories: string[]) =>
    [root, binary].some((path) => directories.some((directory) => path.startsWith(join(directory, "/"))));
  return [
    "ProtectSystem=strict",
    ...(root === SYSTEM_ROOT ? [] : [`ReadWritePaths=${quoted(root)}`]),
    `ProtectHome=${isUsedBelow("/home", "/root", "/run/user") ? "read-only" : "yes"}`,
    ...(isUsedBelow("/tmp", "/var/tmp") ? [] : ["PrivateTmp=yes"]),
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RemoveIPC=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
  ];
}
