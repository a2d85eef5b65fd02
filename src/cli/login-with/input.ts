// What `login-with` is given: flags that fit together, and secrets from standard input.

import { checkAlias } from "../../auth/homes.ts";
import type { Secrets } from "../../login/drive.ts";
import { totpCode } from "../../login/totp.ts";
import { CODEX_BIN_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { durationFlag, parseFlags, usage } from "../flags.ts";
import type { SecretLines } from "./secret-lines.ts";

export const FLAGS = {
  ...ROOT_FLAG,
  ...CODEX_BIN_FLAG,
  username: { type: "string", description: "E-mail address of the account", valueHint: "EMAIL" },
  password: {
    type: "string",
    description: "Its password; others on this machine can see it: rather use --password-stdin",
    valueHint: "PASSWORD",
  },
  "password-stdin": { type: "boolean", description: "Read the password from standard input, its first line" },
  "totp-stdin": {
    type: "boolean",
    description:
      "Read the authenticator's secret (base32) from standard input, behind the password if that comes from there too",
  },
  "codex-home": {
    type: "string",
    description: "Codex home that gets the login as well (CODEX_HOME; default ~/.codex)",
    valueHint: "DIR",
  },
  "no-host-home": { type: "boolean", description: "Leave the Codex home of this machine alone" },
  browser: {
    type: "string",
    description: "Browser of the Chromium family (default: the one that is installed)",
    valueHint: "PATH",
  },
  headed: {
    type: "boolean",
    description: "Show the browser; what cannot be done without a person is left to you",
  },
  "docker-image": {
    type: "string",
    description:
      "Do it in a container of this image (the target login of the Dockerfile; default codexlb-login)",
    valueHint: "TAG",
  },
  "docker-network": {
    type: "string",
    description: "Network of the container (default bridge); chooses the container too",
    valueHint: "NAME",
  },
  "docker-bin": {
    type: "string",
    description: "Docker, or what is used like it (default docker); chooses the container too",
    valueHint: "PATH",
  },
  export: {
    type: "boolean",
    description:
      "Print the login as a line of JSON and keep nothing, and give up when standard input ends: what the container does",
  },
  timeout: {
    type: "string",
    description: "Longest time for all of it",
    default: "10m",
    valueHint: "DURATION",
  },
  replace: { type: "boolean", description: "Take the login although the alias stands for another account" },
  quiet: { type: "boolean", description: "Say nothing on the way" },
  json: { type: "boolean", description: "Tell the steps and the result as lines of JSON" },
} as const;

export type Given = {
  readonly [Name in keyof typeof FLAGS]?:
    | ((typeof FLAGS)[Name]["type"] extends "boolean" ? boolean : string)
    | undefined;
};

export interface Input {
  readonly given: Given;
  readonly alias: string;
  /** It was asked for a container. */
  readonly contained: boolean;
  readonly secrets: Secrets;
}

/** `first` and the flags among `words`: ALIAS --username ... is allowed, and --username ... ALIAS. Throws `usage`. */
export function givenIn(first: Given, words: readonly string[]): { given: Given; alias: string | undefined } {
  const [alias, ...behind] = words;
  const { values, rest } = parseFlags(FLAGS, behind);
  if (rest.length > 0) throw usage("login-with takes one alias");
  const names = new Set(behind.flatMap((word) => /^--?([^-=][^=]*)/.exec(word)?.[1] ?? []));
  const named = Object.entries(values).filter(([name]) => names.has(name));
  return { given: { ...first, ...Object.fromEntries(named) }, alias };
}

export interface InputContext {
  readonly nowMs: number;
  readonly warn: (message: string) => void;
  readonly lines: () => SecretLines;
}

/** How long the login may take, ms. Throws `usage`. */
export function timeoutOf(given: Given): number {
  const timeoutMs = durationFlag(given.timeout ?? FLAGS.timeout.default, "timeout");
  if (timeoutMs === 0) throw usage("flag --timeout: no login is done in no time", "write it as 90s or 10m");
  return timeoutMs;
}

/** Checks all of it, and reads the secrets. Throws `usage`, `invalid_alias`. */
export async function inputOf(
  given: Given,
  alias: string | undefined,
  context: InputContext,
): Promise<Input> {
  if (alias === undefined)
    throw usage(
      "login-with needs an alias",
      "codexlb login-with work --username you@example.com --password-stdin",
    );
  checkAlias(alias);
  refuseContradictions(given);
  const contained = CONTAINER_FLAGS.some((name) => isGiven(given, name));
  return { given, alias, contained, secrets: await secretsOf(given, context) };
}

// --- internal ---

const CONTAINER_FLAGS = ["docker-image", "docker-network", "docker-bin"] as const;
/** Each of the first makes the second senseless. */
const CONTRADICTIONS: readonly (readonly [readonly (keyof Given)[], readonly (keyof Given)[]])[] = [
  [CONTAINER_FLAGS, ["browser", "headed", "codex-bin", "export"]],
  [["no-host-home"], ["codex-home"]],
  [["export"], ["codex-home", "no-host-home", "replace"]],
];

function isGiven(given: Given, name: keyof Given): boolean {
  const value = given[name];
  return typeof value === "string" ? value.trim() !== "" : value === true;
}

function refuseContradictions(given: Given): void {
  // A variable that is not set must not send the login through another network than was meant.
  const empty = CONTAINER_FLAGS.find((name) => given[name]?.trim() === "");
  if (empty !== undefined) throw usage(`login-with: --${empty} is empty`, "leave it out, or give it a value");
  for (const [some, others] of CONTRADICTIONS) {
    const one = some.find((name) => isGiven(given, name));
    const other = others.find((name) => isGiven(given, name));
    if (one !== undefined && other !== undefined)
      throw usage(`login-with: --${one} and --${other} do not go together`, "leave one of them out");
  }
}

async function secretsOf(given: Given, { nowMs, warn, lines }: InputContext): Promise<Secrets> {
  const username = given.username?.trim();
  if (!username)
    throw usage(
      "login-with: --username is required",
      "give the e-mail address that signs in: --username you@example.com",
    );
  if (!username.includes("@"))
    throw usage(
      `login-with: --username: ${JSON.stringify(username)} is no e-mail address`,
      "accounts sign in with one: --username you@example.com",
    );
  if ((given.password === undefined) === !given["password-stdin"])
    throw usage(
      "login-with: specify exactly one of --password or --password-stdin",
      "--password-stdin is better: others on this machine can see --password",
    );
  if (given.password !== undefined)
    warn("--password can be seen by others on this machine while this runs; use --password-stdin");
  const password = given.password ?? (await lines().next(`Password of ${username}: `));
  if (password.trim() === "") throw usage("login-with: password is empty");
  const totp = given["totp-stdin"] ? (await lines().next("Secret of its authenticator: ")).trim() : undefined;
  if (totp === "")
    throw usage(
      "login-with: the TOTP secret is empty",
      given["password-stdin"] ? "it is the second line, behind the password" : "it is the first line",
    );
  // Whether it is one is better known now than after the password was typed.
  if (totp !== undefined) totpCode(totp, nowMs);
  return { username, password, totp };
}
