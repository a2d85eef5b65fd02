// `codexlb account login`: logs in to an account with real `codex login`, on this machine or on that of a proxy.

import { defineCommand } from "citty";
import { remoteLogin } from "../../admin/remote-login.ts";
import { advised } from "../../advice.ts";
import { checkEnrolment } from "../../auth/enrolment-target.ts";
import { checkAlias } from "../../auth/homes.ts";
import { cancelledLogin } from "../../codex/cancelled-login.ts";
import { codexBinary, isOwnLogin, loginAccount, loginArguments } from "../../codex/login.ts";
import { loginWithoutCodex } from "../../codex/own-login.ts";
import { CodexlbError } from "../../errors.ts";
import { orAborted } from "../../login/or-aborted.ts";
import { print, printMessage } from "../../print.ts";
import { plainText } from "../../printable.ts";
import { CODEX_BIN_FLAG, REMOTE_FLAGS, ROOT_FLAG } from "../common-flags.ts";
import { configOf } from "../config/root-config.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { type Place, placeHere, placeOf } from "./account-place.ts";
import { duplicateLoginWarning } from "./duplicate-logins.ts";
import { withAccounts } from "./with-accounts.ts";

export default defineCommand({
  meta: {
    name: "codexlb account login",
    description:
      "Log in to an account and enrol it, with codex login if codex is installed. With --proxy-url, the login happens on that proxy's machine",
  },
  args: {
    ...ROOT_FLAG,
    ...REMOTE_FLAGS,
    ...CODEX_BIN_FLAG,
    replace: {
      type: "boolean",
      description:
        "Replace the login even if the alias belongs to another account, and enrol it even if another alias has it",
    },
    alias: { type: "positional", description: "Name that you choose for the account", valueHint: "ALIAS" },
    arguments: {
      type: "positional",
      description: "Arguments for codex login, such as --device-auth (enter a code in any browser)",
      required: false,
    },
  },
  run: async ({ args, rawArgs }) => {
    const [alias, ...rest] = rawArgs;
    if (alias === undefined)
      throw usage("account login needs an alias", `for example: ${advised("account login", "work")}`);
    checkAlias(alias);
    const context = contextOf(args.root, { createsRoot: true });
    const login: Login = {
      context,
      alias,
      args: rest,
      binary: codexBinary(args["codex-bin"], context.deps.env),
      replace: args.replace ?? false,
    };
    const place = await placeOf(context, args);
    if (place.kind === "here") return loginHere(login);
    const words = plainText();
    try {
      await remoteLogin(place.door, { ...login, output: (text) => print(words.read(text)) });
      await warnOfDuplicateLogin(context, place, alias);
    } catch (error) {
      if (!(error instanceof CodexlbError)) throw error;
      if (error.code === "codex_not_found") return loginForElsewhere(login, place);
      if (place.fallback && (error.code === "proxy_unreachable" || error.code === "unauthorized"))
        return loginHere(login);
      throw error;
    }
  },
});

// --- internal ---

interface Login {
  readonly context: CommandContext;
  readonly alias: string;
  readonly args: readonly string[];
  readonly binary: string;
  readonly replace: boolean;
}

/** Logs in on this terminal. The root stays unchanged until codex has succeeded. */
async function loginHere(login: Login): Promise<void> {
  const { context, alias, args, binary, replace } = login;
  const { deps, layout } = context;
  await checkBeforeLogin(login, await placeHere(context));
  if (isOwnLogin(binary, deps.env)) return loginOurselves(login);
  const words = [...(await configOf(context)).commands.login, ...args];
  // Codex advises its own command, which would enrol nothing.
  if (!words.includes(DEVICE_FLAG) && Bun.which(binary, { PATH: deps.env.PATH ?? "" }) !== null)
    deps.log.info(
      `if this machine has no browser, press Ctrl-C and run: ${advised("account login", alias, DEVICE_FLAG)}`,
    );
  const end = await loginAccount({
    layout,
    binary,
    args: words,
    env: deps.env,
    alias,
    replace,
    ops: {
      import: async (name, files) =>
        withAccounts(context, await placeHere(context), { write: true }, (ops) => ops.import(name, files)),
    },
  });
  if (end.kind === "failed") throw end.error;
  printMessage(`registered account ${alias} (total=${end.total})`);
  await warnOfDuplicateLogin(context, await placeHere(context), alias);
}

/** Logs in without codex. */
async function loginOurselves({ context, alias, args, replace }: Login): Promise<void> {
  const stopping = new AbortController();
  const stop = (signal: NodeJS.Signals) => stopping.abort(cancelledLogin(signal));
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    const login = loginWithoutCodex(context.deps, args, print, stopping.signal);
    const auth = await orAborted(login, stopping.signal);
    const place = await placeHere(context);
    const { total } = await withAccounts(context, place, { write: true }, (ops) =>
      ops.import(alias, { auth, config: undefined, replace }),
    );
    printMessage(`registered account ${alias} (total=${total})`);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  await warnOfDuplicateLogin(context, await placeHere(context), alias);
}

const DEVICE_FLAG = "--device-auth";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Logs in on this machine and sends the login to the proxy, because there is no codex on its machine. */
async function loginForElsewhere(login: Login, place: Place): Promise<void> {
  const { context, alias, args, binary, replace } = login;
  const { deps, layout } = context;
  await checkBeforeLogin(login, place);
  printMessage("remote codex unavailable; logging in locally and importing auth");
  const end = await loginAccount({
    layout,
    binary,
    args: loginArguments((await configOf(context)).commands.login, args),
    env: deps.env,
    alias,
    replace,
    ops: {
      import: (name, files) =>
        withAccounts(context, place, { write: true }, (ops) => ops.import(name, files)),
    },
  });
  if (end.kind === "failed") throw end.error;
  printMessage(`imported account ${alias} (total=${end.total})`);
  await warnOfDuplicateLogin(context, place, alias);
}

/** Refuses a login that could not be enrolled, before the user signs in. */
async function checkBeforeLogin({ context, alias, replace }: Login, place: Place): Promise<void> {
  const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list());
  checkEnrolment({ alias, kind: "login", replace }, accounts);
}

async function warnOfDuplicateLogin(context: CommandContext, place: Place, alias: string): Promise<void> {
  const warning = await duplicateLoginWarning(context, place, alias);
  if (warning !== undefined) context.deps.log.warn(warning);
}
