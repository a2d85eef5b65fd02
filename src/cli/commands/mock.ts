// `codexlb mock`: the simulated backend, to try the proxy without an account and without spending quota.

import { join, resolve } from "node:path";
import { defineCommand } from "citty";
import { z } from "zod";
import { systemDeps } from "../../deps.ts";
import { CodexlbError, messageOf } from "../../errors.ts";
import { startMock } from "../../mock/backend.ts";
import { Fault } from "../../mock/faults.ts";
import { print } from "../../print.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../../state/atomic-file.ts";
import { integerFlag, usage } from "../flags.ts";

export default defineCommand({
  meta: {
    name: "codexlb mock",
    description:
      "Run a simulated backend with simulated accounts, and a sign-in for them (password mock-password)",
  },
  args: {
    port: {
      type: "string",
      description: "Port on 127.0.0.1 (0: any free one)",
      default: "9000",
      valueHint: "N",
    },
    accounts: {
      type: "string",
      description: "Accounts and, after a colon, the turns that each one's short window allows",
      default: "alice:3,bob:1000",
      valueHint: "LIST",
    },
    homes: {
      type: "string",
      description: "Write a logged-in Codex home per account below this directory",
      valueHint: "DIR",
    },
    faults: { type: "string", description: "JSON file with a list of scripted faults", valueHint: "FILE" },
  },
  run: async ({ args }) => {
    const accounts = parseAccounts(args.accounts);
    const faults = args.faults === undefined ? [] : readFaults(args.faults);
    const mock = startMock({
      accounts,
      port: portOf(args.port),
      clock: systemDeps().clock,
    });
    mock.faults.add(...faults);
    if (args.homes !== undefined)
      for (const { alias } of accounts) writeHome(join(resolve(args.homes), alias), mock.authFile(alias));
    print(
      `simulated backend on ${mock.baseUrl}\n` +
        `  accounts:  ${accounts.map(({ alias, turns }) => `${alias} (${turns} turns)`).join(", ")}\n` +
        `  proxy:     CODEXLB_TOKEN_URL=${mock.tokenUrl} codexlb proxy --upstream ${mock.baseUrl}\n` +
        (args.homes === undefined
          ? ""
          : `  import:    codexlb account import --from ${join(resolve(args.homes), accounts[0]?.alias ?? "")}\n`) +
        `  faults:    POST ${mock.origin}/__mock/faults, seen requests: GET ${mock.origin}/__mock/requests\n`,
    );
    await new Promise<void>((stop) => {
      process.once("SIGINT", () => stop());
      process.once("SIGTERM", () => stop());
    });
    await mock.stop();
  },
});

// --- internal ---

function portOf(text: string): number {
  const port = integerFlag(text, "port") ?? 0;
  if (port < 0 || port > 65_535) throw usage(`flag --port: ${port} is not a port`);
  return port;
}

function parseAccounts(list: string): { alias: string; turns: number }[] {
  const seen = new Set<string>();
  return list.split(",").map((entry) => {
    const match = /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d+))?\s*$/.exec(entry);
    if (match?.[1] === undefined)
      throw usage(
        `flag --accounts: ${JSON.stringify(entry)} is not an account`,
        "write it as alice:3,bob:1000",
      );
    if (seen.has(match[1])) throw usage(`flag --accounts: ${match[1]} stands there twice`);
    seen.add(match[1]);
    return { alias: match[1], turns: Number(match[2] ?? 1000) };
  });
}

function readFaults(path: string): z.input<typeof Fault>[] {
  const text = readTextIfPresent(path);
  if (text === undefined) throw usage(`flag --faults: there is no file ${path}`);
  try {
    return z.array(Fault).parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new CodexlbError("usage", `reading faults from ${path}: ${why}`);
  }
}

function writeHome(home: string, auth: string): void {
  makePrivateDirectory(home);
  writeFileAtomic(join(home, "auth.json"), auth);
}
