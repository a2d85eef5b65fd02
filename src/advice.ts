// The commands that messages advise. They get the flags of this command line, so that they work as printed: a command
// on a root or a proxy that the user named advises commands on the same root and proxy.

import { quote } from "./quote.ts";

/** The flags that an advised command takes over. */
export type AdvisedFlag = "root" | "proxy-url" | "proxy-name" | "listen";

/** The values of the flags that this process adds; those that are absent need no flag. */
export type AdvisedFlags = Readonly<Partial<Record<AdvisedFlag, string>>>;

const ON_ROOT = ["root"] as const;
const AT_PROXY = ["root", "proxy-url"] as const;
const ON_ACCOUNTS = ["root", "proxy-url", "proxy-name"] as const;
const STARTING = ["root", "listen"] as const;

/** The commands that take one of these flags, and which they take. Other commands need no flags when advised. */
export const ADVISED_COMMANDS = {
  proxy: STARTING,
  "proxy start": STARTING,
  "proxy restart": STARTING,
  "proxy stop": ON_ROOT,
  "proxy status": ON_ROOT,
  "proxy logs": ON_ACCOUNTS,
  "account list": ON_ACCOUNTS,
  "account show": ON_ACCOUNTS,
  "account login": ON_ACCOUNTS,
  "account import": ON_ACCOUNTS,
  "account add-key": ON_ACCOUNTS,
  "account pin": ON_ACCOUNTS,
  "account unpin": ON_ACCOUNTS,
  "account enable": ON_ACCOUNTS,
  "account disable": ON_ACCOUNTS,
  "account drain": ON_ACCOUNTS,
  "account redeem": ON_ACCOUNTS,
  "account set": ON_ACCOUNTS,
  "account rm": ON_ACCOUNTS,
  "account export": ON_ROOT,
  "login-with": ON_ROOT,
  init: ON_ROOT,
  run: AT_PROXY,
  setup: AT_PROXY,
  unsetup: ON_ROOT,
  status: AT_PROXY,
  wait: AT_PROXY,
  explain: AT_PROXY,
  dashboard: AT_PROXY,
  usage: ON_ACCOUNTS,
  simulate: ON_ROOT,
  "config path": ON_ROOT,
  "config check": ON_ROOT,
  "config show": ON_ROOT,
  "key add": ON_ROOT,
  "key list": ON_ROOT,
  "key show": ON_ROOT,
  "key set": ON_ROOT,
  "key rm": ON_ROOT,
  "notify test": ON_ROOT,
  "cluster init": ON_ROOT,
  "cluster join": ON_ROOT,
  "cluster leave": ON_ROOT,
  "cluster status": ON_ROOT,
  "cluster export": ON_ROOT,
  "cluster rekey": ON_ROOT,
  // A service need not listen where one command looked for a proxy.
  "service install": ON_ROOT,
  upgrade: ON_ROOT,
  doctor: AT_PROXY,
} as const satisfies Readonly<Record<string, readonly AdvisedFlag[]>>;

let current: AdvisedFlags = {};

/** Sets the flags that `advised` adds in this process. Default: none. */
export function setAdvisedFlags(flags: AdvisedFlags): void {
  current = flags;
}

/**
 * The command line `codexlb COMMAND ARGS...` for a message, quoted for a shell, with the flags of this process that the
 * command takes and that `args` does not have. They come first, because `codexlb run` takes its flags before the
 * arguments for Codex. Not for commands that are to be run on another machine.
 */
export function advised(command: keyof typeof ADVISED_COMMANDS, ...args: readonly string[]): string {
  const taken: readonly AdvisedFlag[] = ADVISED_COMMANDS[command];
  const flags = taken.flatMap((name) => {
    const value = current[name];
    return value === undefined || args.includes(`--${name}`) ? [] : [`--${name}`, value];
  });
  return commandText(command, [...flags, ...args]);
}

/**
 * The same without the flags of this process, for a reader who may be on another machine and must not learn the paths of
 * this one.
 */
export function advisedElsewhere(command: keyof typeof ADVISED_COMMANDS, ...args: readonly string[]): string {
  return commandText(command, args);
}

/** Writes the command line of an advised command: `advised` or `advisedElsewhere`. */
export type Advise = typeof advised;

// --- internal ---

function commandText(command: string, args: readonly string[]): string {
  return ["codexlb", command, ...args.map(quote)].join(" ");
}
