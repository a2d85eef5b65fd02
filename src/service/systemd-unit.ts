// Writes the text of the systemd unit, with all hardening that the proxy tolerates, and reads the command back from it.

import { join } from "node:path";
import { CodexlbError } from "../errors.ts";
import { proxyCommand, type ServiceOptions, WRITTEN_BY } from "./service.ts";

/** The state directory of the system-wide service, which systemd creates. */
export const SYSTEM_ROOT = "/var/lib/codexlb";

/**
 * The unit `codexlb-proxy.service`, for the system manager if `options` names a user, otherwise for `systemd --user`.
 * Throws `usage` if systemd cannot start the executable because of its path.
 */
export function systemdUnit(options: ServiceOptions): string {
  const { user, binary } = options;
  if (/["'\\]/.test(binary))
    throw new CodexlbError(
      "usage",
      `systemd cannot start ${binary}: its path contains a quote or a backslash`,
      {
        next: "move the executable, or name another one with --binary",
      },
    );
  const isSystem = user !== undefined;
  return [
    `# ${WRITTEN_BY}, which overwrites this file the next time it runs.`,
    `# To change the service, write a drop-in: systemctl ${isSystem ? "" : "--user "}edit codexlb-proxy.service`,
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
    "# Exit code 2 means that the command line is wrong, so a restart would not help.",
    "RestartPreventExitStatus=2",
    "# If requests are in flight, the proxy extends this by proxy.drain_timeout_seconds.",
    "TimeoutStopSec=60",
    "# The proxy sends a ping every 30 seconds. If none arrives for 60, systemd restarts it.",
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

/** The words of the first `ExecStart=` in `unit`, with or without quotes. */
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

/** Quotes `word` for systemd. Inside double quotes, a backslash still escapes, and `%` still starts a specifier. */
function quoted(word: string): string {
  return `"${word.replaceAll(/[\\"]/g, "\\$&").replaceAll("%", "%%")}"`;
}

/** Escapes `$` only in the arguments, because systemd substitutes no variables in the path of the executable. */
function execStart([binary = "", ...words]: readonly string[]): string {
  return [quoted(binary), ...words.map((word) => quoted(word.replaceAll("$", "$$$$")))].join(" ");
}

/**
 * Hardening that needs no privileges, so the user manager can apply it. MemoryDenyWriteExecute is missing because the
 * JIT compiler writes code at run time. Settings that need a mount namespace are missing because many distributions
 * forbid those for users.
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

/** Hardening that only the system manager can apply: it hides or protects everything except the root. */
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
