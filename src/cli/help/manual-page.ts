// The manual page, from the descriptions of the commands and the tables of variables, files and exit codes.

import { type Layout, layoutOf } from "../../state/layout.ts";
import type { CommandDescription, Flag } from "./command-description.ts";
import { ENVIRONMENT } from "./environment-variables.ts";
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
    section("COMMANDS"),
    ...commands.flatMap(commandSection),
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
  "Enrol accounts with codexlb account login ALIAS or codexlb account import, keep codexlb proxy running, and use codexlb run instead of codex. If something does not work, codexlb doctor says what to do.",
  "Flags may stand anywhere on the line, until --. They can be written with one dash or two, and as --flag VALUE or --flag=VALUE. If a flag is given twice, the last value counts. For codexlb run, the first argument that is not one of its flags starts the arguments for Codex.",
];

/** The default root, as texts show it. */
const ROOT = "~/.codex-lb";

/** What each path in the state directory contains. */
const FILES: Readonly<Record<keyof Layout, string>> = {
  root: "The state directory, ROOT.",
  config: "The settings. The file is yours: codexlb never rewrites your lines.",
  store: "The accounts with their health and quota figures, and the pin.",
  accounts: "A Codex home with an auth.json for each account.",
  sessions: "The account of each session.",
  keys: "The hashes of the keys of clients and of proxies in front.",
  linkedHome: "The CODEX_HOME of codexlb run, with links into ~/.codex.",
  runtime: "The CODEX_HOME of codexlb run --isolated-home.",
  logins: "Logins in progress.",
  logs: "The event log, and the last screen of a failed login-with.",
  events: "The current file of the event log.",
  lock: "The lock of the process that owns the directory.",
  adminSocket: "The admin API, for commands on this machine.",
  adminToken: "The token that opens the admin API over the network.",
  signingKey: "The key that signs the stub credentials for Codex.",
};

function filesOf(layout: Layout): string[] {
  return (Object.keys(FILES) as (keyof Layout)[]).map((key) => definition([italic(layout[key])], FILES[key]));
}

function commandSection(command: CommandDescription): string[] {
  return [
    subSection([command.name, ...usageWords(command)].join(" ")),
    line([sentence(command.description)]),
    ...command.positionals.map(({ hint, description }) => definition([italic(hint)], sentence(description))),
    ...command.flags.map((flag) => definition(flagTerm(flag), sentence(flag.description))),
  ];
}

function flagTerm({ name, hint }: Flag): Text[] {
  return hint === undefined ? [bold(`--${name}`)] : [bold(`--${name}`), " ", italic(hint)];
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}
