// The input of `login-with`: its flags, which are checked for contradictions, and the secrets from standard input.

import { advised } from "../../advice.ts";
import { checkAlias } from "../../auth/homes.ts";
import type { Secrets } from "../../login/drive.ts";
import { totpCode } from "../../login/totp.ts";
import { CODEX_BIN_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { durationFlag, usage } from "../flags.ts";
import type { SecretLines } from "./secret-lines.ts";

export const FLAGS = {
  ...ROOT_FLAG,
  ...CODEX_BIN_FLAG,
  username: { type: "string", description: "E-mail address of the account", valueHint: "EMAIL" },
  password: {
    type: "string",
    description:
      "Password of the account; other users of this machine can see it, so prefer --password-stdin",
    valueHint: "PASSWORD",
  },
  "password-stdin": {
    type: "boolean",
    description: "Read the password from the first line of standard input",
  },
  "totp-stdin": {
    type: "boolean",
    description:
      "Read the authenticator's secret (base32) from standard input, after the password if --password-stdin is given too",
  },
  "codex-home": {
    type: "string",
    description: "Codex home that also gets the login (CODEX_HOME; default ~/.codex)",
    valueHint: "DIR",
  },
  "no-host-home": { type: "boolean", description: "Do not write the login to a Codex home" },
  browser: {
    type: "string",
    description: "Chromium-based browser (default: the installed one)",
    valueHint: "PATH",
  },
  headed: {
    type: "boolean",
    description: "Show the browser window, and leave steps that need a person to you",
  },
  "docker-image": {
    type: "string",
    description:
      "Run the browser in a container of this image (the Dockerfile's target login; default codexlb-login)",
    valueHint: "TAG",
  },
  "docker-network": {
    type: "string",
    description: "Network of the container (default bridge); implies a container",
    valueHint: "NAME",
  },
  "docker-bin": {
    type: "string",
    description: "Docker or a compatible program (default docker); implies a container",
    valueHint: "PATH",
  },
  export: {
    type: "boolean",
    description:
      "Print the login as a line of JSON, store nothing, and stop when standard input ends; the container uses this",
  },
  timeout: {
    type: "string",
    description: "Longest time for the whole login",
    default: "10m",
    valueHint: "DURATION",
  },
  replace: { type: "boolean", description: "Replace the login even if the alias belongs to another account" },
  quiet: { type: "boolean", description: "Print no progress" },
  json: { type: "boolean", description: "Print progress and result as lines of JSON" },
} as const;

/** The values of the flags. */
export type LoginFlags = {
  readonly [Name in keyof typeof FLAGS]?:
    | ((typeof FLAGS)[Name]["type"] extends "boolean" ? boolean : string)
    | undefined;
};

/** The checked input of a login. */
export interface LoginInput {
  readonly flags: LoginFlags;
  readonly alias: string;
  /** True if the flags choose a container. */
  readonly contained: boolean;
  readonly secrets: Secrets;
}

/** What reading the input needs. */
export interface InputContext {
  readonly nowMs: number;
  readonly warn: (message: string) => void;
  readonly lines: () => SecretLines;
}

/** The longest time for the login, in ms. Throws `usage`. */
export function timeoutOf(flags: LoginFlags): number {
  const timeoutMs = durationFlag(flags.timeout ?? FLAGS.timeout.default, "timeout");
  if (timeoutMs === 0) throw usage("flag --timeout must be greater than 0", "write it as 90s or 10m");
  return timeoutMs;
}

/** Checks the flags and the alias, and reads the secrets. Throws `usage`, `invalid_alias`. */
export async function inputOf(
  flags: LoginFlags,
  alias: string | undefined,
  context: InputContext,
): Promise<LoginInput> {
  if (alias === undefined)
    throw usage(
      "login-with needs an alias",
      `for example: ${advised("login-with", "work", "--username", "you@example.com", "--password-stdin")}`,
    );
  checkAlias(alias);
  refuseContradictions(flags);
  const contained = CONTAINER_FLAGS.some((name) => isGiven(flags, name));
  return { flags, alias, contained, secrets: await secretsOf(flags, context) };
}

// --- internal ---

const CONTAINER_FLAGS = ["docker-image", "docker-network", "docker-bin"] as const;
/** A flag of the first list cannot be combined with one of the second. */
const CONTRADICTIONS: readonly (readonly [readonly (keyof LoginFlags)[], readonly (keyof LoginFlags)[]])[] = [
  [CONTAINER_FLAGS, ["browser", "headed", "codex-bin", "export"]],
  [["no-host-home"], ["codex-home"]],
  [["export"], ["codex-home", "no-host-home", "replace"]],
];

function isGiven(flags: LoginFlags, name: keyof LoginFlags): boolean {
  const value = flags[name];
  return typeof value === "string" ? value.trim() !== "" : value === true;
}

function refuseContradictions(flags: LoginFlags): void {
  // An unset variable on the command line must not change the network of the login.
  const empty = CONTAINER_FLAGS.find((name) => flags[name]?.trim() === "");
  if (empty !== undefined) throw usage(`login-with: --${empty} is empty`, "leave it out, or give it a value");
  for (const [some, others] of CONTRADICTIONS) {
    const one = some.find((name) => isGiven(flags, name));
    const other = others.find((name) => isGiven(flags, name));
    if (one !== undefined && other !== undefined)
      throw usage(`login-with: --${one} and --${other} cannot be combined`, "leave one of them out");
  }
}

async function secretsOf(flags: LoginFlags, { nowMs, warn, lines }: InputContext): Promise<Secrets> {
  const username = flags.username?.trim();
  if (!username)
    throw usage(
      "login-with: --username is required",
      "give the e-mail address that signs in: --username you@example.com",
    );
  if (!username.includes("@"))
    throw usage(
      `login-with: --username: ${JSON.stringify(username)} is not an e-mail address`,
      "give the address that signs in: --username you@example.com",
    );
  if ((flags.password === undefined) === !flags["password-stdin"])
    throw usage(
      "login-with: specify exactly one of --password or --password-stdin",
      "prefer --password-stdin: other users of this machine can see --password",
    );
  if (flags.password !== undefined)
    warn("other users of this machine can see --password while the login runs; use --password-stdin");
  const password = flags.password ?? (await lines().next(`Password of ${username}: `));
  if (password.trim() === "")
    throw usage(
      "login-with: password is empty",
      "with --password-stdin, the password is the first line of standard input",
    );
  const totp = flags["totp-stdin"] ? (await lines().next("TOTP secret: ")).trim() : undefined;
  if (totp === "")
    throw usage(
      "login-with: the TOTP secret is empty",
      flags["password-stdin"]
        ? "write it as the second line, after the password"
        : "write it as the first line",
    );
  // Check the secret now, before the sign-in starts.
  if (totp !== undefined) totpCode(totp, nowMs);
  return { username, password, totp };
}
