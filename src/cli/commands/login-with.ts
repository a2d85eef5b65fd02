// `codexlb login-with`: logs an account in with no hands, by driving a browser through the sign-in.

import { defineCommand } from "citty";
import { createConsola } from "consola";
import { checkAlias } from "../../auth/homes.ts";
import { userHomes } from "../../codex/home.ts";
import { codexBinary } from "../../codex/login.ts";
import { adminErrorBody, CodexlbError } from "../../errors.ts";
import { findBrowser } from "../../login/browser.ts";
import { signInContained } from "../../login/container.ts";
import type { Secrets } from "../../login/drive.ts";
import { giveToHost } from "../../login/host-home.ts";
import { signIn } from "../../login/sign-in.ts";
import { totpCode } from "../../login/totp.ts";
import { withAccountsHere } from "../accounts.ts";
import { CODEX_BIN_FLAG, type CommandContext, contextOf, ROOT_FLAG } from "../context.ts";
import { durationFlag, parseFlags, usage } from "../flags.ts";

const FLAGS = {
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
    description: "Do it in a container of this image (the target login of the Dockerfile)",
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
    description: "Print the login as a line of JSON and keep nothing: what the container does",
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

export default defineCommand({
  meta: {
    name: "codexlb login-with",
    description: "Log an account in with its e-mail address and password, by driving a browser",
  },
  args: {
    ...FLAGS,
    // Both orders are allowed: ALIAS --username ..., and --username ... ALIAS.
    arguments: { type: "positional", description: "Name of the account", valueHint: "ALIAS" },
  },
  run: async ({ args: first, rawArgs }) => {
    const [alias, ...rest] = rawArgs;
    if (alias === undefined)
      throw usage(
        "login-with needs an alias",
        "codexlb login-with work --username you@example.com --password-stdin",
      );
    const behind = parseFlags(FLAGS, rest);
    if (behind.rest.length > 0) throw usage("login-with takes one alias");
    const given = { ...first, ...givenIn(rest, behind.values) } as typeof first;
    checkAlias(alias);
    const context = contextOf(given.root);
    const { deps } = context;
    const secrets = await secretsOf(given, deps.clock.now(), deps.log.warn);
    const teller = tellerOf(given);
    const stopping = new AbortController();
    const stop = () => stopping.abort();
    const how: How = { context, given, alias, secrets, teller, signal: stopping.signal };
    for (const signal of SIGNALS) process.on(signal, stop);
    try {
      await (isContained(given, deps.env) ? inContainer(how) : withBrowser(how));
    } catch (error) {
      const told = stopping.signal.aborted ? GIVEN_UP : error;
      if (told instanceof CodexlbError) teller.failed(told);
      throw told;
    } finally {
      for (const signal of SIGNALS) process.off(signal, stop);
    }
  },
});

// --- internal ---

const GIVEN_UP = new CodexlbError("login_failed", "the login was given up; nothing was changed");
/** The image as the Dockerfile's own words build it. */
const DEFAULT_IMAGE = "codexlb-login";

interface How {
  readonly context: CommandContext;
  readonly given: Given;
  readonly alias: string;
  readonly secrets: Secrets;
  readonly teller: Teller;
  readonly signal: AbortSignal;
}

/** As the flags say; without any, when there is no browser here but something that runs containers. */
function isContained(given: Given, env: Readonly<Record<string, string | undefined>>): boolean {
  const isAsked = [given["docker-image"], given["docker-network"], given["docker-bin"]].some((flag) =>
    flag?.trim(),
  );
  if (isAsked || given.browser?.trim() || findBrowser(undefined, env, process.platform) !== undefined)
    return isAsked;
  return Bun.which("docker", { PATH: env.PATH ?? "" }) !== null;
}

async function inContainer({ context, given, alias, secrets, teller, signal }: How): Promise<void> {
  const auth = await signInContained({
    deps: context.deps,
    docker: given["docker-bin"]?.trim() || "docker",
    image: given["docker-image"]?.trim() || DEFAULT_IMAGE,
    network: given["docker-network"]?.trim() || "bridge",
    secrets,
    timeoutMs: durationFlag(given.timeout, "timeout"),
    progress: teller.step,
    signal,
  });
  const total = await takeOver({ context, given, alias, teller }, auth);
  finish({ context, given, alias, teller }, total);
}

async function withBrowser(how: How): Promise<void> {
  const { context, given, alias, secrets, teller, signal } = how;
  const { deps, layout } = context;
  const browser = findBrowser(given.browser, deps.env, process.platform);
  if (browser === undefined)
    throw new CodexlbError(
      "browser_not_found",
      "there is no browser of the Chromium family on this machine",
      {
        next: "install chromium or Google Chrome, name one with --browser PATH, use a container with --docker-image TAG, or use: codexlb account login ALIAS --device-auth",
      },
    );
  const total = await signIn({
    deps,
    layout,
    alias,
    codex: Bun.which(codexBinary(given["codex-bin"], deps.env), { PATH: deps.env.PATH ?? "" }) ?? undefined,
    browser,
    headed: given.headed ?? false,
    secrets,
    timeoutMs: durationFlag(given.timeout, "timeout"),
    progress: teller.step,
    signal,
    take: (auth) => takeOver(how, auth),
  });
  finish(how, total);
}

/** The login becomes the account's, and the host's; returns how many accounts there are then. */
async function takeOver(
  { context, given, alias, teller }: Pick<How, "context" | "given" | "alias" | "teller">,
  auth: string,
): Promise<number> {
  if (given.export) {
    process.stdout.write(`${JSON.stringify({ auth })}\n`);
    return 0;
  }
  const { deps } = context;
  const total = await withAccountsHere(context, true, (ops) =>
    ops.import(alias, { auth, config: undefined, replace: given.replace ?? false }),
  );
  if (given["no-host-home"]) return total;
  const backup = giveToHost(hostHomeOf(given, deps.env), auth, deps.clock.now());
  if (backup !== undefined) teller.note(`the login that was there before is kept as ${backup}`);
  return total;
}

function finish(
  { context, given, alias, teller }: Pick<How, "context" | "given" | "alias" | "teller">,
  total: number,
): void {
  if (given.export) return;
  teller.done(
    given["no-host-home"]
      ? `registered account ${alias} (total=${total})`
      : `imported login credentials into ${hostHomeOf(given, context.deps.env)} and registered account ${alias}`,
    total,
  );
}

function hostHomeOf(given: Given, env: Readonly<Record<string, string | undefined>>): string {
  return given["codex-home"]?.trim() || (userHomes(env)[0] ?? ".");
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const STDIN_LIMIT_BYTES = 64 * 1024;

interface Given {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly "password-stdin"?: boolean | undefined;
  readonly "totp-stdin"?: boolean | undefined;
  readonly "codex-bin"?: string | undefined;
  readonly "codex-home"?: string | undefined;
  readonly "no-host-home"?: boolean | undefined;
  readonly browser?: string | undefined;
  readonly headed?: boolean | undefined;
  readonly "docker-image"?: string | undefined;
  readonly "docker-network"?: string | undefined;
  readonly "docker-bin"?: string | undefined;
  readonly export?: boolean | undefined;
  readonly replace?: boolean | undefined;
  readonly timeout: string;
  readonly quiet?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What was given in `words`, without the defaults. */
function givenIn(words: readonly string[], values: Readonly<Record<string, string | boolean>>) {
  const names = new Set(words.flatMap((word) => /^--?([^-=][^=]*)/.exec(word)?.[1] ?? []));
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name)));
}

async function secretsOf(given: Given, nowMs: number, warn: (message: string) => void): Promise<Secrets> {
  const username = given.username?.trim();
  if (!username) throw usage("login-with: --username is required");
  if ((given.password === undefined) === !given["password-stdin"])
    throw usage("login-with: specify exactly one of --password or --password-stdin");
  if (given.password !== undefined)
    warn("--password can be seen by others on this machine while this runs; use --password-stdin");
  const lines = given["password-stdin"] || given["totp-stdin"] ? (await readStdin()).split(/\r?\n/) : [];
  const password = given.password ?? lines.shift() ?? "";
  if (password.trim() === "") throw usage("login-with: password is empty");
  const totp = given["totp-stdin"] ? (lines.shift()?.trim() ?? "") : undefined;
  if (totp === "") throw usage("login-with: the TOTP secret is empty");
  // Whether it is one is better known now than after the password was typed.
  if (totp !== undefined) totpCode(totp, nowMs);
  return { username, password, totp };
}

async function readStdin(): Promise<string> {
  const text = await Bun.stdin.text();
  if (text.length > STDIN_LIMIT_BYTES) throw usage("login-with: standard input holds more than a password");
  return text;
}

interface Teller {
  step(what: string): void;
  note(what: string): void;
  done(message: string, total: number): void;
  failed(error: CodexlbError): void;
}

/** How the way is told: on stderr for people, as lines on stdout with --json. */
function tellerOf({ quiet, json, export: exported }: Given): Teller {
  const line = (value: unknown) => void process.stdout.write(`${JSON.stringify(value)}\n`);
  if (json || exported)
    return {
      step: (step) => line({ step }),
      note: (note) => line({ note }),
      done: (message, total) => line({ ok: true, message, total }),
      failed: (error) => line({ ok: false, ...adminErrorBody(error) }),
    };
  const consola = createConsola({ level: quiet ? 0 : 3, stdout: process.stderr, stderr: process.stderr });
  return {
    step: (what) => consola.start(what),
    note: (what) => consola.info(what),
    done: (message) => void process.stdout.write(`${message}\n`),
    // The message itself comes at the end of every command.
    failed: () => {},
  };
}
