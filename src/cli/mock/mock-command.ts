// `codexlb mock`: runs the simulated backend, to try the proxy without an account or quota.

import { join, resolve } from "node:path";
import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { counted } from "../../core/count-words.ts";
import { parseJson } from "../../core/json.ts";
import { docsPage } from "../../core/project-pages.ts";
import { systemDeps } from "../../deps.ts";
import type { MockAccountOptions } from "../../mock/accounts.ts";
import { startMock } from "../../mock/backend.ts";
import {
  FAULT_EXAMPLES,
  FAULT_FORM,
  FAULT_KEYS,
  type Fault,
  type FaultsResult,
  readFaults,
} from "../../mock/faults.ts";
import { printMessages } from "../../print.ts";
import { quote } from "../../quote.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../../state/atomic-file.ts";
import { integerFlag, usage } from "../flags.ts";

const FAULT_HELP = Object.entries(FAULT_EXAMPLES)
  .map(([what, list]) => `For ${what}: ${list}`)
  .join(". ");

export default defineCommand({
  meta: {
    name: "codexlb mock",
    description: "Run a simulated backend, to try codexlb without spending quota",
  },
  args: {
    port: {
      type: "string",
      description: "Port on 127.0.0.1 (0: any free port)",
      default: "9000",
      valueHint: "N",
    },
    accounts: {
      type: "string",
      description:
        "Accounts, each as NAME[:TURNS][:OPTION...]; options: weekly, monthly, idle, credits=N, member=N, resets=N, key=APIKEY, MODEL=N",
      default: "alice:3,bob:1000",
      valueHint: "LIST",
    },
    homes: {
      type: "string",
      description: "Write a logged-in Codex home for each account below this directory",
      valueHint: "DIR",
    },
    faults: {
      type: "string",
      description: `JSON file with a list of scripted faults. ${FAULT_HELP}. Keys: ${FAULT_KEYS}. For their meaning, see ${docsPage("mock")}`,
      valueHint: "FILE",
    },
  },
  run: async ({ args }) => {
    const accounts = parseAccounts(args.accounts);
    const aliases = accounts.map(({ alias }) => alias);
    const faults = args.faults === undefined ? [] : faultsIn(args.faults, aliases);
    const mock = startMock({
      accounts,
      port: portOf(args.port),
      clock: systemDeps().clock,
    });
    mock.faults.add(...faults);
    const homes =
      args.homes === undefined
        ? []
        : accounts
            .filter(({ apiKey }) => apiKey === undefined)
            .map(({ alias }) => ({ alias, path: join(resolve(args.homes ?? ""), alias) }));
    for (const { alias, path } of homes) writeHome(path, mock.authFile(alias));
    const list = accounts.map(({ alias, turns }) => `${alias} (${counted(turns, "turn")})`).join(", ");
    // Before it says that it is there, because a script may end it as soon as it has read that.
    const interrupted = new Promise<void>((stop) => {
      process.once("SIGINT", () => stop());
      process.once("SIGTERM", () => stop());
    });
    printMessages([
      { text: `simulated backend on ${mock.baseUrl}` },
      { first: "  accounts:  ", text: list },
      {
        first: "  proxy:     ",
        text: `CODEXLB_TOKEN_URL=${mock.tokenUrl} ${advised("proxy", "--upstream", mock.baseUrl)}`,
      },
      ...homes
        .slice(0, 1)
        .map(({ path }) => ({ first: "  import:    ", text: advised("account import", "--from", path) })),
      ...accounts.flatMap(({ alias, apiKey }) =>
        apiKey === undefined
          ? []
          : [{ first: "  API key:   ", text: addKeyLine(alias, apiKey, mock.apiUrl) }],
      ),
      {
        first: "  faults:    ",
        text: `POST ${mock.origin}/__mock/faults, received requests: GET ${mock.origin}/__mock/requests`,
      },
    ]);
    await interrupted;
    await mock.stop();
  },
});

// --- internal ---

/** The command that adds the account with this API key, which the simulated API at `baseUrl` accepts. */
function addKeyLine(alias: string, key: string, baseUrl: string): string {
  const add = advised(
    "account add-key",
    alias,
    "--key-stdin",
    "--monthly-cap",
    "20usd",
    "--base-url",
    baseUrl,
  );
  return `echo ${quote(key)} | ${add}`;
}

function portOf(text: string): number {
  const port = integerFlag(text, "port") ?? 0;
  if (port < 0 || port > 65_535)
    throw usage(`flag --port: ${port} is not a port`, "use a number from 0 to 65535");
  return port;
}

function parseAccounts(list: string): (MockAccountOptions & { readonly turns: number })[] {
  const seen = new Set<string>();
  return list.split(",").map((entry) => {
    const [alias = "", ...parts] = entry.trim().split(":");
    const [turns, ...options] = /^\d+$/.test(parts[0] ?? "") ? parts : ["1000", ...parts];
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(alias))
      throw usage(
        `flag --accounts: ${JSON.stringify(entry)} is not an account`,
        "write it as alice:3,bob:1000:weekly:credits=5",
      );
    if (seen.has(alias)) throw usage(`flag --accounts: ${alias} is listed twice`, "list each account once");
    seen.add(alias);
    return options.reduce(withOption, { alias, turns: Number(turns) });
  });
}

function withOption<Account extends MockAccountOptions>(account: Account, option: string): Account {
  if (option === "weekly" || option === "monthly") return { ...account, windows: [option] };
  if (option === "idle") return { ...account, idle: true };
  const [name = "", value = ""] = option.split("=");
  if (name === "key" && value !== "") return { ...account, apiKey: value };
  if (name === "credits" && value === "unlimited") return { ...account, credits: "unlimited" };
  if (!/^\d+$/.test(value) || name === "")
    throw usage(
      `flag --accounts: unknown option ${JSON.stringify(option)}`,
      "options: weekly, monthly, idle, credits=N, credits=unlimited, member=N, resets=N, key=APIKEY, MODEL=N",
    );
  const count = Number(value);
  switch (name) {
    case "credits":
      return { ...account, credits: count };
    case "member":
      return { ...account, memberTurns: count };
    case "resets":
      return { ...account, resets: count };
    default: {
      const meter = { model: name, feature: `codex_${name.replace(/[^a-z0-9]+/gi, "_")}`, turns: count };
      return { ...account, meters: [...(account.meters ?? []), meter] };
    }
  }
}

function faultsIn(path: string, aliases: readonly string[]): readonly Fault[] {
  const text = readTextIfPresent(path);
  if (text === undefined)
    throw usage(`flag --faults: file not found: ${path}`, `name a JSON file such as ${FAULT_FORM}`);
  const json = parseJson(text);
  const read: FaultsResult =
    json === undefined ? { kind: "invalid", why: "it is not valid JSON" } : readFaults(json, aliases);
  if (read.kind === "faults") return read.faults;
  throw usage(`reading faults from ${path}: ${read.why}`, `correct the file; its form is ${FAULT_FORM}`);
}

function writeHome(home: string, auth: string): void {
  makePrivateDirectory(home);
  writeFileAtomic(join(home, "auth.json"), auth);
}
