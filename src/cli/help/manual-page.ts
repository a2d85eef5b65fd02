// The manual page, made from the definitions of the commands and the tables of variables, files and exit codes.

import { type Layout, layoutOf } from "../../state/layout.ts";
import type { Described, Flag } from "./command-description.ts";
import { ENVIRONMENT } from "./environment-variables.ts";
import { EXIT_STATUS } from "./exit-status.ts";
import { usageWords } from "./help-text.ts";
import { bold, explained, italic, line, paragraph, section, subSection, type Text, title } from "./roff.ts";

export interface Edition {
  readonly version: string;
  /** `2026-01-31`. */
  readonly date: string;
}

/** The page, as roff source. `commands` are the program itself and everything below it. */
export function manualPage([program, ...commands]: readonly Described[], { version, date }: Edition): string {
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
    ...ENVIRONMENT.map((variable) => explained([bold(variable.name)], variable.description)),
    section("FILES"),
    ...filesOf(layoutOf(ROOT)),
    section("EXIT STATUS"),
    ...Object.entries(EXIT_STATUS).map(([code, meaning]) => explained([bold(code)], meaning)),
    paragraph(
      bold(`${name} run`),
      " ends as Codex ended. 10 to 18 are what stopped ",
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
  "Codex talks to a proxy on this machine, which picks the right account for every request. When an account reaches its limit, the turn goes on with another one, and Codex shows nothing of it.",
  "Enrol accounts with codexlb account login ALIAS or codexlb account import, leave codexlb proxy running, and use codexlb run in the place of codex. When something is not right, codexlb doctor says what to do.",
  "Flags go before other words. One dash or two, --flag VALUE or --flag=VALUE are the same; of a flag that is given twice the last one holds. The first word or flag that is not an own one of codexlb run begins the arguments of Codex.",
];

/** As it stands in texts. */
const ROOT = "~/.codex-lb";

/** What is at each place below the state directory. */
const FILES: Readonly<Record<keyof Layout, string>> = {
  root: "The state directory, ROOT.",
  config: "The settings. The file is yours: what stands in it is never rewritten.",
  store: "The accounts with their health and figures, and the pin.",
  accounts: "A Codex home for each account, with its auth.json.",
  sessions: "Which account each session is with.",
  keys: "The keys of clients and of proxies in front, as hashes.",
  runtime: "The CODEX_HOME of codexlb run.",
  logins: "Logins under way.",
  logs: "The event log, and the last screen of a failed login-with.",
  events: "The part of the event log that is written now.",
  lock: "Held by the one process that changes the directory.",
  adminSocket: "The admin API, for commands on this machine.",
  adminToken: "The token that opens the admin API over the network.",
  signingKey: "Signs the stub credentials that Codex gets.",
};

function filesOf(layout: Layout): string[] {
  return (Object.keys(FILES) as (keyof Layout)[]).map((key) => explained([italic(layout[key])], FILES[key]));
}

function commandSection(command: Described): string[] {
  return [
    subSection([command.name, ...usageWords(command)].join(" ")),
    line([sentence(command.description)]),
    ...command.positionals.map(({ hint, description }) => explained([italic(hint)], sentence(description))),
    ...command.flags.map((flag) => explained(flagTerm(flag), sentence(flag.description))),
  ];
}

function flagTerm({ name, hint }: Flag): Text[] {
  return hint === undefined ? [bold(`--${name}`)] : [bold(`--${name}`), " ", italic(hint)];
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}
