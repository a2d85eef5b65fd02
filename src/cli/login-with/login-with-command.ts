// `codexlb login-with`: logs in to an account without a person, by driving a browser through the sign-in.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { checkEnrolment } from "../../auth/enrolment-target.ts";
import { namesIssuer } from "../../auth/oauth.ts";
import { cancelledLogin } from "../../codex/cancelled-login.ts";
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
import { duplicateLoginWarning } from "../accounts/duplicate-logins.ts";
import { withAccounts } from "../accounts/with-accounts.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { FLAGS, inputOf, type LoginFlags, type LoginInput, timeoutOf } from "./input.ts";
import { exportLastScreen, exportLogin, type ProgressReporter, progressReporter } from "./progress.ts";
import { openSecretLines, type SecretLines } from "./secret-lines.ts";

export default defineCommand({
  meta: {
    name: "codexlb login-with",
    description:
      "Enrol an account by signing in with its e-mail address and password, in an automated browser",
  },
  args: {
    ...FLAGS,
    alias: { type: "positional", description: "Name that you choose for the account", valueHint: "ALIAS" },
  },
  run: async ({ args: flags, rawArgs }) => {
    const progress = progressReporter(flags);
    let work: Work | undefined;
    let lines: SecretLines | undefined;
    let cancelTimer = () => {};
    const stopping = new AbortController();
    const signals = SIGNALS.map((signal) => ({ signal, handle: () => stop(stopping, signal) }));
    for (const { signal, handle } of signals) process.on(signal, handle);
    try {
      const [alias, ...surplus] = rawArgs;
      if (surplus.length > 0) throw usage("login-with takes one alias");
      const context = contextOf(flags.root, { createsRoot: true });
      const { clock, log } = context.deps;
      const timeoutMs = timeoutOf(flags);
      cancelTimer = clock.after(timeoutMs, () => stopping.abort(timedOut()));
      const reading = inputOf(flags, alias, {
        nowMs: clock.now(),
        warn: log.warn,
        lines: () => {
          lines ??= openSecretLines();
          return lines;
        },
      });
      const input = await orAborted(reading, stopping.signal);
      if (flags.export) endWithOutside(stopping, lines);
      else lines?.close();
      work = { context, input, timeoutMs, progress, signal: stopping.signal, picture: undefined };
      await logIn(work);
    } catch (error) {
      const failure = error instanceof CodexlbError ? withHints(error, work) : error;
      if (failure instanceof CodexlbError) progress.failed(failure);
      // The program outside the container prints the error.
      if (!flags.export || !(failure instanceof CodexlbError)) throw failure;
      process.exitCode = failure.exitCode;
    } finally {
      cancelTimer();
      lines?.close();
      for (const { signal, handle } of signals) process.off(signal, handle);
    }
  },
});

// --- internal ---

/** A login. */
interface Work {
  readonly context: CommandContext;
  readonly input: LoginInput;
  readonly timeoutMs: number;
  readonly progress: ProgressReporter;
  readonly signal: AbortSignal;
  /** The path of the last screen of a failed login. */
  picture: string | undefined;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
/** The name of the image in the Dockerfile's instructions. */
const DEFAULT_IMAGE = "codexlb-login";
/** The obstacles that a person can overcome. */
const BY_HAND: ReadonlySet<ErrorCode> = new Set([
  "login_captcha",
  "login_mfa",
  "login_email_code",
  "login_passkey",
  "login_unexpected_screen",
]);

/** The first signal cancels the login, a second one exits immediately. */
function stop(stopping: AbortController, signal: NodeJS.Signals): void {
  const cancelled = cancelledLogin(signal);
  if (stopping.signal.aborted) process.exit(cancelled.exitCode);
  stopping.abort(cancelled);
}

function timedOut(): CodexlbError {
  return new CodexlbError("login_timeout", "the login took too long", {
    next: "allow more time with --timeout",
  });
}

/** In the container: cancels the login when the program outside has exited, because nothing would receive the login. */
function endWithOutside(stopping: AbortController, lines: SecretLines | undefined): void {
  const end = () =>
    stopping.abort(
      new CodexlbError(
        "interrupted",
        "the program that requested the login has exited; nothing was changed",
        {
          next: `run ${advised("login-with")} again`,
        },
      ),
    );
  void lines?.ended.then(end);
  process.stdout.on("error", end);
}

async function logIn(work: Work): Promise<void> {
  const { flags } = work.input;
  const { layout, deps } = work.context;
  if (!flags.export) {
    await checkBeforeSignIn(work);
    forgetLastScreen(layout);
  }
  const isHostWritten = !flags.export && !flags["no-host-home"];
  if (isHostWritten) checkHost(hostHomeOf(flags, deps.env), layout);
  if (isContained(work)) return finish(work, await takeOver(work, await inContainer(work)));
  finish(work, await withBrowser(work));
}

/** Refuses a login that could not be enrolled, before the browser signs in. */
async function checkBeforeSignIn({ context, input: { alias, flags } }: Work): Promise<void> {
  const accounts = await withAccounts(context, await placeHere(context), { write: false }, (ops) =>
    ops.list(),
  );
  checkEnrolment({ alias, kind: "login", replace: flags.replace ?? false }, accounts);
}

/** True if the flags choose a container, or if this machine has no browser but has docker. */
function isContained({ input: { flags, contained }, context: { deps } }: Work): boolean {
  if (contained || flags.browser?.trim()) return contained;
  if (flags.headed || flags.export || findBrowser(undefined, deps.env, process.platform) !== undefined)
    return false;
  return Bun.which("docker", { PATH: deps.env.PATH ?? "" }) !== null;
}

function inContainer(work: Work): Promise<string> {
  const { context, input, timeoutMs, progress, signal } = work;
  const { flags, secrets } = input;
  return signInContained({
    deps: context.deps,
    docker: flags["docker-bin"]?.trim() || "docker",
    image: flags["docker-image"]?.trim() || DEFAULT_IMAGE,
    network: flags["docker-network"]?.trim() || "bridge",
    secrets,
    timeoutMs,
    progress: progress.step,
    keep: (screen) => keep(work, screen),
    signal,
  });
}

function withBrowser(work: Work): Promise<number> {
  const { context, input, progress, signal } = work;
  const { flags, alias, secrets } = input;
  const { deps, layout } = context;
  const browser = findBrowser(flags.browser, deps.env, process.platform);
  if (browser === undefined)
    throw new CodexlbError("browser_not_found", "no Chromium-based browser was found on this machine", {
      next: `install chromium or Google Chrome, name one with --browser PATH, use a container with --docker-image TAG, or use: ${advised("account login", alias, "--device-auth")}`,
    });
  const codex = codexBinary(flags["codex-bin"], deps.env);
  // A Codex from the environment ignores CODEXLB_ISSUER, so the password would go to the real sign-in.
  const isOtherIssuer = namesIssuer(deps) && !flags["codex-bin"]?.trim();
  const ourselves = isOtherIssuer || isOwnLogin(codex, deps.env);
  if (!ourselves) requireCodex(codex, ["login"]);
  return signIn({
    deps,
    layout,
    alias,
    codex: ourselves ? undefined : codex,
    browser,
    headed: flags.headed ?? false,
    secrets,
    progress: progress.step,
    keep: (screen) => keep(work, screen),
    signal,
    take: (auth) => takeOver(work, auth),
  });
}

/** Enrols the account with the login, and writes the login to the Codex home. Returns the number of accounts. */
async function takeOver({ context, input, progress }: Work, auth: string): Promise<number> {
  const { flags, alias } = input;
  if (flags.export) {
    exportLogin(auth);
    return 0;
  }
  const place = await placeHere(context);
  const { total } = await withAccounts(context, place, { write: true }, (ops) =>
    ops.import(alias, { auth, config: undefined, replace: flags.replace ?? false }),
  );
  const warning = await duplicateLoginWarning(context, place, alias);
  if (warning !== undefined) progress.note(warning);
  if (flags["no-host-home"]) return total;
  const home = hostHomeOf(flags, context.deps.env);
  try {
    const backup = giveToHost(home, auth, context.deps.clock.now());
    if (backup !== undefined) progress.note(`the previous login was saved as ${backup}`);
  } catch (error) {
    if (!(error instanceof CodexlbError)) throw error;
    throw new CodexlbError(error.code, `account ${alias} is enrolled, but ${error.message}`, {
      next: `codexlb does not need it; ${error.next}`,
    });
  }
  return total;
}

function finish({ context, input: { flags, alias }, progress }: Work, total: number): void {
  if (flags.export) return;
  progress.done(
    flags["no-host-home"]
      ? `registered account ${alias} (total=${total})`
      : `imported login credentials into ${hostHomeOf(flags, context.deps.env)} and registered account ${alias}`,
    total,
  );
}

function hostHomeOf(flags: LoginFlags, env: Readonly<Record<string, string | undefined>>): string {
  return flags["codex-home"]?.trim() || (userHomes(env)[0] ?? ".");
}

function keep(work: Work, screen: LastScreen): void {
  if (work.input.flags.export) exportLastScreen(screen);
  else work.picture = keepLastScreen(work.context.layout, screen);
}

/** Adds to `error` what the user can do. In the container there is nothing to add. */
function withHints(error: CodexlbError, work: Work | undefined): CodexlbError {
  if (work === undefined || work.input.flags.export) return error;
  const { alias } = work.input;
  const byHand = isContained(work)
    ? `log in by hand: ${advised("account login", alias, "--device-auth")}`
    : `do that step by hand with --headed, or log in by hand: ${advised("account login", alias)}`;
  const next = [
    error.next,
    BY_HAND.has(error.code) ? byHand : undefined,
    work.picture === undefined ? undefined : `the last screen was saved as ${work.picture}`,
  ].filter((hint) => hint !== undefined);
  return new CodexlbError(error.code, error.message, {
    next: next.join("; "),
    cause: error,
    exitCode: error.exitCode,
  });
}
