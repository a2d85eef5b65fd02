// An unattended login: codex starts the sign-in (or codexlb itself, without codex), and a browser is driven through it.
// However the login ends, no browser, codex process or listening port remains.

import { beginBrowserLogin } from "../auth/browser-login.ts";
import { sweepLogins } from "../auth/leftovers.ts";
import type { OAuthDeps } from "../auth/oauth.ts";
import { loginAccount } from "../codex/login.ts";
import { CodexlbError } from "../errors.ts";
import type { Layout } from "../state/layout.ts";
import { type OpenBrowser, openBrowser } from "./browser.ts";
import { driveSignIn, type Secrets } from "./drive.ts";
import type { LastScreen } from "./last-screen.ts";

export interface SignInOptions {
  readonly deps: OAuthDeps;
  readonly layout: Layout;
  readonly alias: string;
  /** The codex that starts the login; undefined: codexlb starts it. */
  readonly codex: string | undefined;
  /** The browser's executable. */
  readonly browser: string;
  readonly headed: boolean;
  readonly secrets: Secrets;
  readonly progress: (what: string) => void;
  /** Gets the last screen after a failure. */
  readonly keep: (screen: LastScreen) => void;
  /** Aborted when the time is over or the user interrupts; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Enrols the login in this text of an auth.json. Resolves to the number of accounts. */
  readonly take: (auth: string) => Promise<number>;
}

/**
 * Logs in and passes the login to `take`. Resolves to the number of accounts. Throws `login_…`, `browser_not_found`.
 */
export async function signIn(options: SignInOptions): Promise<number> {
  const { deps, layout, headed, secrets, progress, keep, signal } = options;
  const ending = new AbortController();
  const end = () => ending.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", end, { once: true });
  let browser: OpenBrowser | undefined;
  try {
    progress("starting the browser");
    browser = await openBrowser({
      executable: options.browser,
      headed,
      layout,
      env: deps.env,
      platform: process.platform,
    });
    const { page } = browser;
    const gone = browser.gone.then(() => ending.abort(browserClosed()));
    const drive = (url: string, over: Promise<unknown>) =>
      driveSignIn({
        page,
        url,
        secrets,
        over,
        headed,
        progress,
        keep,
        gone,
        signal: ending.signal,
        now: deps.clock.now,
      });
    ending.signal.throwIfAborted();
    return await (options.codex === undefined
      ? loginByCodexlb(options, drive)
      : loginByCodex(options, options.codex, ending, drive));
  } finally {
    signal.removeEventListener("abort", end);
    ending.abort();
    await browser?.close();
    // By now the browser of a login that was killed shortly before has exited, too.
    sweepLogins(layout);
  }
}

// --- internal ---

type Drive = (url: string, over: Promise<unknown>) => Promise<void>;

/** Longest wait until codex prints the address of the sign-in. */
const URL_MS = 30_000;

async function loginByCodexlb({ deps, progress, take }: SignInOptions, drive: Drive): Promise<number> {
  const login = beginBrowserLogin(deps);
  try {
    await drive(login.url, login.auth);
    const auth = await login.auth;
    progress("logged in");
    return await take(auth);
  } finally {
    login.close();
  }
}

async function loginByCodex(
  { deps, layout, alias, progress, take }: SignInOptions,
  binary: string,
  ending: AbortController,
  drive: Drive,
): Promise<number> {
  const url = Promise.withResolvers<string>();
  url.promise.catch(() => {});
  let output = "";
  const login = loginAccount({
    layout,
    binary,
    args: ["login"],
    // Otherwise codex would also open the sign-in in the user's own browser.
    env: { ...deps.env, BROWSER: "true" },
    alias,
    replace: true,
    ops: { import: async (_alias, { auth }) => ({ total: await take(auth) }) },
    watch: {
      output: (chunk) => {
        output = (output + Bun.stripANSI(new TextDecoder().decode(chunk))).slice(-OUTPUT_CHARS);
        const found = /https?:\/\/\S+\/oauth\/authorize\?\S+/.exec(output)?.[0];
        if (found !== undefined) url.resolve(found);
      },
      signal: ending.signal,
    },
  });
  login.catch(() => {});
  const cancelTimer = deps.clock.after(URL_MS, () =>
    url.reject(noAddress("did not print the address of the sign-in", output)),
  );
  ending.signal.addEventListener("abort", () => url.reject(ending.signal.reason), { once: true });
  login.then(
    () => url.reject(noAddress("exited before it printed the address of the sign-in", output)),
    url.reject,
  );
  try {
    await drive(await url.promise, login);
    const end = await login;
    if (end.kind === "failed") throw end.error;
    progress("logged in");
    return end.total;
  } finally {
    cancelTimer();
    ending.abort();
    await login.catch(() => {});
  }
}

/** The error for a codex login that did `what`, with the last line of its output. */
function noAddress(what: string, output: string): CodexlbError {
  const last = output.trim().split("\n").at(-1)?.trim().slice(0, LAST_LINE_CHARS);
  return new CodexlbError("login_failed", `codex login ${what}${last ? `: ${last}` : ""}`, {
    next: "check that this command works alone: codex login",
  });
}

const LAST_LINE_CHARS = 300;
/** The URL is half a KiB long. */
const OUTPUT_CHARS = 8_192;

/** The user closed the browser, or it crashed. */
function browserClosed(): CodexlbError {
  return new CodexlbError("login_failed", "the browser was closed before the login finished", {
    next: "try again, and leave the browser open",
  });
}
