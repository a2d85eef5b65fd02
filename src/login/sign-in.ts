// A login with no hands: the sign-in is begun by codex, or by ourselves where there is no codex, and a browser is driven
// through it. Whatever ends it, nothing is left behind: no browser, no codex, no port that listens.

import { sweepLogins } from "../auth/leftovers.ts";
import { beginBrowserLogin, type OAuthDeps } from "../auth/oauth.ts";
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
  /** The codex that begins the login; undefined: there is none, and we do. */
  readonly codex: string | undefined;
  /** The browser's executable. */
  readonly browser: string;
  readonly headed: boolean;
  readonly secrets: Secrets;
  readonly progress: (what: string) => void;
  /** Gets the last screen after a failure. */
  readonly keep: (screen: LastScreen) => void;
  /** The time is up, or the person has had enough; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Gets the text of the new auth.json; resolves when it is taken over. */
  readonly take: (auth: string) => Promise<number>;
}

/** Logs in and hands the result to `take`; resolves to how many accounts there are then. Throws `login_…`, `browser_not_found`. */
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
      ? byOurselves(options, drive)
      : byCodex(options, options.codex, ending, drive));
  } finally {
    signal.removeEventListener("abort", end);
    ending.abort();
    await browser?.close();
    // By now the browser of one that was killed just before has ended as well, and writes no more.
    sweepLogins(layout);
  }
}

// --- internal ---

type Drive = (url: string, over: Promise<unknown>) => Promise<void>;

/** Codex says where the sign-in is within this time. */
const URL_MS = 30_000;

async function byOurselves({ deps, progress, take }: SignInOptions, drive: Drive): Promise<number> {
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

async function byCodex(
  { deps, layout, alias, progress, take }: SignInOptions,
  binary: string,
  ending: AbortController,
  drive: Drive,
): Promise<number> {
  const url = Promise.withResolvers<string>();
  url.promise.catch(() => {});
  let said = "";
  const login = loginAccount({
    layout,
    binary,
    args: ["login"],
    // Codex would open the sign-in in the person's own browser as well.
    env: { ...deps.env, BROWSER: "true" },
    alias,
    replace: true,
    ops: { import: (_alias, { auth }) => take(auth) },
    watch: {
      output: (chunk) => {
        said = (said + Bun.stripANSI(new TextDecoder().decode(chunk))).slice(-SAID_CHARS);
        const found = /https?:\/\/\S+\/oauth\/authorize\?\S+/.exec(said)?.[0];
        if (found !== undefined) url.resolve(found);
      },
      signal: ending.signal,
    },
  });
  login.catch(() => {});
  const cancelTimer = deps.clock.after(URL_MS, () =>
    url.reject(silent("did not say where to sign in", said)),
  );
  ending.signal.addEventListener("abort", () => url.reject(ending.signal.reason), { once: true });
  login.then(() => url.reject(silent("ended before it said where to sign in", said)), url.reject);
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

/** `what` codex login did, with its last words. */
function silent(what: string, said: string): CodexlbError {
  const last = said.trim().split("\n").at(-1)?.trim().slice(0, WORDS_CHARS);
  return new CodexlbError("login_failed", `codex login ${what}${last ? `: ${last}` : ""}`, {
    next: "try it by itself: codex login",
  });
}

const WORDS_CHARS = 300;
/** The URL is half a KiB long. */
const SAID_CHARS = 8_192;

/** The person closed it, or it broke down. */
function browserClosed(): CodexlbError {
  return new CodexlbError("login_failed", "the browser was closed before the login was done", {
    next: "try again, and leave it open",
  });
}
