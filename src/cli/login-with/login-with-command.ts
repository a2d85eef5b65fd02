// `codexlb login-with`: logs an account in with no hands, by driving a browser through the sign-in.

import { constants } from "node:os";
import { defineCommand } from "citty";
import { namesIssuer } from "../../auth/oauth.ts";
import { userHomes } from "../../codex/home.ts";
import { codexBinary, isOwnLogin, requireCodex } from "../../codex/login.ts";
import { CodexlbError, type ErrorCode } from "../../errors.ts";
import { findBrowser } from "../../login/browser.ts";
import { signInContained } from "../../login/container.ts";
import { checkHost, giveToHost } from "../../login/host-home.ts";
import { forgetLastScreen, keepLastScreen, type LastScreen } from "../../login/last-screen.ts";
import { orAborted } from "../../login/or-aborted.ts";
import { signIn } from "../../login/sign-in.ts";
import { placeHere } from "../accounts/account-place.ts";
import { twinProblem } from "../accounts/duplicate-logins.ts";
import { withAccounts } from "../accounts/with-accounts.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { FLAGS, type Given, givenIn, type Input, inputOf, timeoutOf } from "./input.ts";
import { exportLastScreen, exportLogin, type Teller, tellerOf } from "./progress.ts";
import { openSecretLines, type SecretLines } from "./secret-lines.ts";

export default defineCommand({
  meta: {
    name: "codexlb login-with",
    description: "Log an account in with its e-mail address and password, by driving a browser",
  },
  args: {
    ...FLAGS,
    arguments: { type: "positional", description: "Name of the account", valueHint: "ALIAS" },
  },
  run: async ({ args, rawArgs }) => {
    let given: Given = args;
    let teller = tellerOf(given);
    let work: Work | undefined;
    let lines: SecretLines | undefined;
    let cancelTimer = () => {};
    const stopping = new AbortController();
    const signals = SIGNALS.map((signal) => ({ signal, handle: () => stop(stopping, signal) }));
    for (const { signal, handle } of signals) process.on(signal, handle);
    try {
      const behind = givenIn(args, rawArgs);
      given = behind.given;
      teller = tellerOf(given);
      const context = contextOf(given.root);
      const { clock, log } = context.deps;
      const timeoutMs = timeoutOf(given);
      cancelTimer = clock.after(timeoutMs, () => stopping.abort(timedOut()));
      const reading = inputOf(given, behind.alias, {
        nowMs: clock.now(),
        warn: log.warn,
        lines: () => {
          lines ??= openSecretLines();
          return lines;
        },
      });
      const input = await orAborted(reading, stopping.signal);
      if (given.export) endWithOutside(stopping, lines);
      else lines?.close();
      work = { context, input, timeoutMs, teller, signal: stopping.signal, picture: undefined };
      await logIn(work);
    } catch (error) {
      const told = error instanceof CodexlbError ? withHints(error, work) : error;
      if (told instanceof CodexlbError) teller.failed(told);
      // Outside of the container it is said once more.
      if (!given.export || !(told instanceof CodexlbError)) throw told;
      process.exitCode = told.exitCode;
    } finally {
      cancelTimer();
      lines?.close();
      for (const { signal, handle } of signals) process.off(signal, handle);
    }
  },
});

// --- internal ---

interface Work {
  readonly context: CommandContext;
  readonly input: Input;
  readonly timeoutMs: number;
  readonly teller: Teller;
  readonly signal: AbortSignal;
  /** Where the last screen of a failed login is kept. */
  picture: string | undefined;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
/** The image as the Dockerfile's own words build it. */
const DEFAULT_IMAGE = "codexlb-login";
/** What a person could do. */
const BY_HAND: ReadonlySet<ErrorCode> = new Set([
  "login_captcha",
  "login_mfa",
  "login_email_code",
  "login_passkey",
  "login_unexpected_screen",
]);

/** The first signal ends the login in order, a second one the program. */
function stop(stopping: AbortController, signal: NodeJS.Signals): void {
  const exitCode = 128 + constants.signals[signal];
  if (stopping.signal.aborted) process.exit(exitCode);
  stopping.abort(
    new CodexlbError("interrupted", "the login was given up; nothing was changed", { exitCode }),
  );
}

function timedOut(): CodexlbError {
  return new CodexlbError("login_timeout", "the login took too long", {
    next: "give it more time with --timeout",
  });
}

/** In the container: when nobody is outside any more, nobody takes the login, and it must not be made. */
function endWithOutside(stopping: AbortController, lines: SecretLines | undefined): void {
  const end = () =>
    stopping.abort(
      new CodexlbError("interrupted", "whoever asked for the login is gone; nothing was changed"),
    );
  void lines?.ended.then(end);
  process.stdout.on("error", end);
}

async function logIn(work: Work): Promise<void> {
  const { given } = work.input;
  const { layout, deps } = work.context;
  if (!given.export) forgetLastScreen(layout);
  const isHostWritten = !given.export && !given["no-host-home"];
  if (isHostWritten) checkHost(hostHomeOf(given, deps.env), layout);
  if (isContained(work)) return finish(work, await takeOver(work, await inContainer(work)));
  finish(work, await withBrowser(work));
}

/** As the flags say; without any, when there is no browser here but something that runs containers. */
function isContained({ input: { given, contained }, context: { deps } }: Work): boolean {
  if (contained || given.browser?.trim()) return contained;
  if (given.headed || given.export || findBrowser(undefined, deps.env, process.platform) !== undefined)
    return false;
  return Bun.which("docker", { PATH: deps.env.PATH ?? "" }) !== null;
}

function inContainer(work: Work): Promise<string> {
  const { context, input, timeoutMs, teller, signal } = work;
  const { given, secrets } = input;
  return signInContained({
    deps: context.deps,
    docker: given["docker-bin"]?.trim() || "docker",
    image: given["docker-image"]?.trim() || DEFAULT_IMAGE,
    network: given["docker-network"]?.trim() || "bridge",
    secrets,
    timeoutMs,
    progress: teller.step,
    keep: (screen) => keep(work, screen),
    signal,
  });
}

function withBrowser(work: Work): Promise<number> {
  const { context, input, teller, signal } = work;
  const { given, alias, secrets } = input;
  const { deps, layout } = context;
  const browser = findBrowser(given.browser, deps.env, process.platform);
  if (browser === undefined)
    throw new CodexlbError(
      "browser_not_found",
      "there is no browser of the Chromium family on this machine",
      {
        next: `install chromium or Google Chrome, name one with --browser PATH, use a container with --docker-image TAG, or use: codexlb account login ${alias} --device-auth`,
      },
    );
  const codex = codexBinary(given["codex-bin"], deps.env);
  // One that the environment names does not know the other sign-in, and the password would go to the real one.
  const isOtherIssuer = namesIssuer(deps) && !given["codex-bin"]?.trim();
  const ourselves = isOtherIssuer || isOwnLogin(codex, deps.env);
  if (!ourselves) requireCodex(codex, ["login"]);
  return signIn({
    deps,
    layout,
    alias,
    codex: ourselves ? undefined : codex,
    browser,
    headed: given.headed ?? false,
    secrets,
    progress: teller.step,
    keep: (screen) => keep(work, screen),
    signal,
    take: (auth) => takeOver(work, auth),
  });
}

/** The login becomes the account's, and the host's; returns how many accounts there are then. */
async function takeOver({ context, input, teller }: Work, auth: string): Promise<number> {
  const { given, alias } = input;
  if (given.export) {
    exportLogin(auth);
    return 0;
  }
  const place = await placeHere(context);
  const total = await withAccounts(context, place, { write: true }, (ops) =>
    ops.import(alias, { auth, config: undefined, replace: given.replace ?? false }),
  );
  const twins = await twinProblem(context, place, alias);
  if (twins !== undefined) teller.note(twins);
  if (given["no-host-home"]) return total;
  const home = hostHomeOf(given, context.deps.env);
  try {
    const backup = giveToHost(home, auth, context.deps.clock.now());
    if (backup !== undefined) teller.note(`the login that was there before is kept as ${backup}`);
  } catch (error) {
    if (!(error instanceof CodexlbError)) throw error;
    throw new CodexlbError(error.code, `account ${alias} is registered, but ${error.message}`, {
      next: `codexlb works without; ${error.next ?? "see what is wrong there"}`,
    });
  }
  return total;
}

function finish({ context, input: { given, alias }, teller }: Work, total: number): void {
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

function keep(work: Work, screen: LastScreen): void {
  if (work.input.given.export) exportLastScreen(screen);
  else work.picture = keepLastScreen(work.context.layout, screen);
}

/** `error` with what can be done here about it. In the container nothing can. */
function withHints(error: CodexlbError, work: Work | undefined): CodexlbError {
  if (work === undefined || work.input.given.export) return error;
  const { alias } = work.input;
  const byHand = isContained(work)
    ? `do it by hand: codexlb account login ${alias} --device-auth`
    : `do that part by hand with --headed, or all of it: codexlb account login ${alias}`;
  const next = [
    error.next,
    BY_HAND.has(error.code) ? byHand : undefined,
    work.picture === undefined ? undefined : `the last screen is kept as ${work.picture}`,
  ].filter((hint) => hint !== undefined);
  return new CodexlbError(error.code, error.message, {
    ...(next.length > 0 ? { next: next.join("; ") } : {}),
    cause: error,
    exitCode: error.exitCode,
  });
}
