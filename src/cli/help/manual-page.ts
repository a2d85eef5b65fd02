// The manual page, from the descriptions of the commands and the tables of variables, files and exit codes.

import { type Layout, layoutOf } from "../../state/layout.ts";
import { COMMON_FLAGS, PROXY_URL_FLAG } from "../common-flags.ts";
import { type CommandDescription, type Flag, flagsOf } from "./command-description.ts";
import { ENVIRONMENT } from "./environment-variables.ts";
import { EXAMPLES } from "./examples.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { usageWords } from "./help-text.ts";
import { bold, definition, italic, line, paragraph, section, subSection, type Text, title } from "./roff.ts";

/** The version of the page. */
export interface Edition {
  readonly version: string;
  /** `2026-01-31`. */
  readonly date: string;
}

/** The page as roff source. The first command is the program; the others are all commands below it. */
export function manualPage(
  [program, ...commands]: readonly CommandDescription[],
  { version, date }: Edition,
): string {
  const { name = "", description = "" } = program ?? {};
  return [
    title(name, date, version),
    section("NAME"),
    line([`${name} - run Codex over several ChatGPT accounts`]),
    section("SYNOPSIS"),
    line([bold(name), " [", italic("COMMAND"), "] [", italic("FLAGS"), "] [", italic("ARGUMENTS"), "]"]),
    section("DESCRIPTION"),
    line([description]),
    ...DESCRIPTION.map((text) => paragraph(text)),
    section("COMMON FLAGS"),
    line([COMMON_FLAGS_HEAD]),
    ...COMMON.map(flagDefinition),
    paragraph(...defaultAddress(commands)),
    section("COMMANDS"),
    ...commands.flatMap((command) => commandSection(command, parentOf(command, commands))),
    section("ENVIRONMENT"),
    ...ENVIRONMENT.map((variable) => definition([bold(variable.name)], variable.description)),
    section("FILES"),
    ...filesOf(layoutOf(ROOT)),
    section("EXIT STATUS"),
    ...Object.entries(EXIT_STATUS).map(([code, meaning]) => definition([bold(code)], meaning)),
    paragraph(
      bold(`${name} run`),
      " exits as Codex did. The codes 10 to 18 belong to ",
      bold(`${name} login-with`),
      ".",
    ),
    section("EXAMPLES"),
    ...EXAMPLES.map((example) => definition([`${example.purpose}:`], bold(example.line))),
    section("SEE ALSO"),
    line([bold("codex"), "(1)"]),
    paragraph(bold(`${name} COMMAND --help`), " shows the flags of a command."),
  ]
    .join("\n")
    .concat("\n");
}

// --- internal ---

const DESCRIPTION = [
  "Codex sends its requests to a proxy on this machine, which chooses an account for each one. When an account reaches its limit, another account completes the turn, and Codex shows no error.",
  "Set everything up with codexlb init, or enrol accounts with codexlb account login ALIAS or codexlb account import, keep codexlb proxy running, and use codexlb run instead of codex. If something does not work, codexlb doctor says what to do.",
  "Flags can appear anywhere before --. They can be written with one dash or two, and as --flag VALUE or --flag=VALUE. If a flag is repeated, the last value counts; a list flag such as --tag collects all its values. For codexlb run, the first argument that is not one of its flags starts the arguments for Codex.",
];

/** The default root, as texts show it. */
const ROOT = "~/.codex-lb";

/** What each path in the state directory contains. */
const FILES: Readonly<Record<keyof Layout, string>> = {
  root: "The state directory, ROOT.",
  config:
    "The settings. The file is yours: codexlb keeps your lines, and adds only the name of the proxy if there is none.",
  store: "The accounts with their health and quota figures, and the pin.",
  accounts: "A Codex home with an auth.json for each account.",
  sessions: "The account of each session.",
  usage: "What each turn used.",
  keys: "The hashes of the keys of clients and of proxies in front.",
  keyUse: "What keys with limits have used.",
  linkedHome: "The CODEX_HOME of codexlb run, with links into ~/.codex.",
  runtime: "The CODEX_HOME of codexlb run --isolated-home.",
  logins: "Logins in progress.",
  logs: "The event log, and the last screen of a failed login-with.",
  events: "The current file of the event log.",
  lock: "The lock of the process that owns the directory.",
  startFlags: "The flags that the running proxy was started with.",
  adminSocket: "The admin API, for commands on this machine.",
  adminToken: "The token that opens the admin API over the network.",
  signingKey: "The key that signs the stub credentials for Codex.",
  cluster: "What a replica shares with the others of its pool.",
  notify: "The problems that notifications have already reported.",
};

function filesOf(layout: Layout): string[] {
  return (Object.keys(FILES) as (keyof Layout)[]).map((key) => definition([italic(layout[key])], FILES[key]));
}

const COMMON_FLAGS_HEAD =
  "Many commands take some of these flags. The section of each command lists the ones that it takes.";

const COMMON = flagsOf(COMMON_FLAGS);

/** The flag of commands that need a proxy. */
const ADDRESS = flagsOf(PROXY_URL_FLAG).map(keyOf);

/** The flags that the section of a command only names. */
const DESCRIBED_ONCE: ReadonlySet<string> = new Set([...COMMON.map(keyOf), ...ADDRESS]);

function defaultAddress(commands: readonly CommandDescription[]): Text[] {
  const names = commands.filter(({ flags }) => flags.some((flag) => ADDRESS.includes(keyOf(flag))));
  const words = names.map(({ path }) => bold(path.join(" ")));
  return [
    "If no address is given or set, the default is http://<proxy.listen> for ",
    ...words.flatMap((word, index) => [separator(index, words.length), word]),
    ", and the root itself for the other commands.",
  ];
}

/** The text before the word at `index` in a list of `count` words. */
function separator(index: number, count: number): string {
  if (index === 0) return "";
  return index === count - 1 ? " and " : ", ";
}

/**
 * The section of `command`. It describes only the flags that are neither common nor flags of `parent`, and names the
 * others.
 */
function commandSection(command: CommandDescription, parent: CommandDescription | undefined): string[] {
  const inherited = new Set(parent?.runs === true ? parent.flags.map(keyOf) : []);
  const shared = command.flags.filter((flag) => DESCRIBED_ONCE.has(keyOf(flag)));
  const others = command.flags.filter((flag) => !shared.includes(flag));
  const fromParent = others.filter((flag) => inherited.has(keyOf(flag)));
  return [
    subSection([command.name, ...usageWords(command)].join(" ")),
    line([sentence(command.description)]),
    ...command.positionals.map(({ hint, description }) => definition([italic(hint)], sentence(description))),
    ...others.filter((flag) => !fromParent.includes(flag)).map(flagDefinition),
    ...flagNames(`The same as for ${parent?.name ?? ""}: `, fromParent),
    ...flagNames("Common flags: ", shared),
  ];
}

/** The command whose sub-command `command` is. */
function parentOf(
  { path }: CommandDescription,
  commands: readonly CommandDescription[],
): CommandDescription | undefined {
  const parent = path.slice(0, -1).join(" ");
  return commands.find((other) => other.path.join(" ") === parent);
}

/** A paragraph with the names of flags; nothing if there are none. */
function flagNames(head: string, flags: readonly Flag[]): string[] {
  if (flags.length === 0) return [];
  const names = flags.flatMap(({ name }, index) => [index === 0 ? "" : ", ", bold(`--${name}`)]);
  return [paragraph(head, ...names, ".")];
}

function flagDefinition(flag: Flag): string {
  return definition(flagTerm(flag), sentence(flag.description));
}

function keyOf({ name, description }: Flag): string {
  return `${name} ${description}`;
}

function flagTerm({ name, hint, optionalHint }: Flag): Text[] {
  if (optionalHint !== undefined) return [bold(`--${name}`), "[=", italic(optionalHint), "]"];
  return hint === undefined ? [bold(`--${name}`)] : [bold(`--${name}`), " ", italic(hint)];
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}
