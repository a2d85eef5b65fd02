// Drives the sign-in in a browser: recognizes the screen, acts on it, and waits for the next one. Every wait has a
// limit, and no message or picture contains what was typed.

import type { Locator, Page } from "playwright-core";
import { CodexlbError, messageOf } from "../errors.ts";
import type { LastScreen } from "./last-screen.ts";
import { orAborted } from "./or-aborted.ts";
import { SCREENS, type Screen, type Stop, SUBMIT } from "./screens.ts";
import { totpCode } from "./totp.ts";

export interface Secrets {
  readonly username: string;
  readonly password: string;
  /** Base32; undefined if the user gave none. */
  readonly totp: string | undefined;
}

export interface DriveOptions {
  readonly page: Page;
  /** Where the sign-in begins. */
  readonly url: string;
  readonly secrets: Secrets;
  /** Settles when the login succeeded or failed. Driving stops then. */
  readonly over: Promise<unknown>;
  /** The user does what the program cannot; the program continues afterwards. */
  readonly headed: boolean;
  /** Gets the name of each screen, and requests to the user. */
  readonly progress: (what: string) => void;
  /** Gets the last screen after a failure. */
  readonly keep: (screen: LastScreen) => void;
  /** Resolves when the browser has exited. `signal` is aborted then. */
  readonly gone: Promise<void>;
  /** Its reason is thrown. */
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** Resolves when `over` has settled. Throws a `login_…` error if the sign-in cannot continue. */
export async function driveSignIn(options: DriveOptions): Promise<void> {
  const { page, url, over, signal } = options;
  const state: DriveState = {
    isOver: false,
    before: "",
    last: undefined,
    handled: new Set(),
    leftToUser: new Set(),
  };
  const end = () => {
    state.isOver = true;
  };
  over.then(end, end);
  try {
    options.progress("opening the sign-in");
    await openPage(page, url, signal);
    for (let acts = 0; acts < MOST_ACTS; ) {
      const screen = await nextScreen(options, state);
      if (screen === "over") return;
      state.last = screen;
      const stop = stopOf(screen, state, options.secrets);
      if (stop === undefined) {
        acts++;
        options.progress(screen.name);
        await act(options, screen);
        state.handled.add(screen.name);
      } else leaveToUser(options, state, screen, stop);
    }
    throw unexpected("the sign-in repeats its screens", page);
  } catch (error) {
    const known = await whyEnded(error, options);
    if (!signal.aborted || known.code === "login_timeout") await keepScreen(options, state, known);
    throw known;
  }
}

// --- internal ---

/** Longest wait for the next screen. */
const SCREEN_MS = 20_000;
const POLL_MS = 150;
/** More than any sign-in has. */
const MOST_ACTS = 25;
const ACTION_MS = 5_000;
const EXIT_NOTICE_MS = 500;
/** The name for every unknown screen. */
const UNKNOWN = "";
/** How often a screen must be seen in a row: pages load in parts, and a button may appear before its field. */
const LOOKS = 2;
/**
 * The same for a screen that was filled in already. It may be about to leave: pages change their text while they send a
 * form.
 */
const LOOKS_AGAIN = 20;

/** How far the sign-in has got. */
interface DriveState {
  isOver: boolean;
  /** The fingerprint of the last screen. */
  before: string;
  last: Screen | undefined;
  readonly handled: Set<string>;
  /** Names of screens that the user was asked to handle. */
  readonly leftToUser: Set<string>;
}

async function openPage(page: Page, url: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await orAborted(page.goto(url, { timeout: SCREEN_MS, waitUntil: "domcontentloaded" }), signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = /net::(\w+)/.exec(messageOf(error))?.[1] ?? firstLine(error);
    const where = URL.canParse(url) ? new URL(url).origin : "an invalid address";
    throw new CodexlbError("login_failed", `opening the sign-in at ${where} failed: ${why}`, {
      next: "check the network connection to it, and CODEXLB_ISSUER if it is set",
    });
  }
}

/** Waits for a screen that differs from the one before; "over" if the login ends first. */
async function nextScreen(options: DriveOptions, state: DriveState): Promise<Screen | "over"> {
  const { page, signal, headed, progress } = options;
  const deadlineMs = performance.now() + SCREEN_MS;
  let last: string | undefined;
  let looks = 0;
  for (;;) {
    if (performance.now() > deadlineMs) {
      if (!headed) break;
      if (!state.leftToUser.has(UNKNOWN)) progress("unknown screen: please continue in the browser window");
      state.leftToUser.add(UNKNOWN);
    }
    if (state.isOver) return "over";
    signal.throwIfAborted();
    const screen = await seenOn(page, state);
    const seen = screen === undefined ? undefined : await fingerprint(page, screen);
    looks = seen === last ? looks + 1 : 1;
    last = seen;
    if (screen !== undefined && seen !== state.before && looks >= looksFor(screen, state)) {
      // Remembered before acting on it, because the next screen may appear before the action returns.
      state.before = seen ?? "";
      return screen;
    }
    await Bun.sleep(POLL_MS);
  }
  throw unexpected(
    state.last === undefined
      ? "no known screen appeared"
      : `after the screen "${state.last.name}" no known screen appeared`,
    page,
  );
}

function looksFor({ name, act }: Screen, { handled }: DriveState): number {
  return act.kind === "fill" && handled.has(name) ? LOOKS_AGAIN : LOOKS;
}

async function seenOn(page: Page, { handled }: DriveState): Promise<Screen | undefined> {
  for (const screen of SCREENS) {
    if (screen.after !== undefined && !handled.has(screen.after)) continue;
    const shown = await Promise.all(screen.seen.map((selector) => isVisible(page.locator(selector))));
    if (shown.includes(true)) return screen;
  }
  return undefined;
}

/** Also false while the page loads another one. */
async function isVisible(locator: Locator): Promise<boolean> {
  try {
    return await locator.first().isVisible();
  } catch {
    return false;
  }
}

/** Distinguishes one appearance of a screen from the next, by address and text. */
async function fingerprint(page: Page, { name }: Screen): Promise<string> {
  const text = await page.evaluate("document.body ? document.body.innerText : ''").catch(() => "");
  return `${name} ${page.url()} ${text}`;
}

/** The reason why the program cannot act on this screen; undefined if it can. */
function stopOf({ name, act }: Screen, { handled }: DriveState, secrets: Secrets): Stop | undefined {
  if (act.kind === "stop") return act.stop;
  if (act.kind === "click") return undefined;
  if (secrets[act.with] === undefined) return act.lacking;
  return handled.has(name) ? act.again : undefined;
}

function leaveToUser(
  { headed, progress }: DriveOptions,
  { leftToUser }: DriveState,
  { name }: Screen,
  stop: Stop,
): void {
  if (!headed) throw new CodexlbError(stop.code, stop.what, { next: stop.next });
  if (!leftToUser.has(name)) progress(`${stop.what}: please complete this step in the browser window`);
  leftToUser.add(name);
}

async function act({ page, secrets, now }: DriveOptions, { name, act }: Screen): Promise<void> {
  if (act.kind === "stop") return;
  const target = await firstVisible(page, act.kind === "click" ? act.on : act.into);
  if (act.kind === "click") return target?.click({ timeout: ACTION_MS, noWaitAfter: true });
  const given = secrets[act.with] ?? "";
  const value = act.with === "totp" ? totpCode(given, now()) : given;
  if (target === undefined) throw unexpected(`the field of the screen "${name}" disappeared`, page);
  await target.fill(value, { timeout: ACTION_MS });
  const submit = await firstVisible(page, SUBMIT);
  if (submit === undefined) await target.press("Enter", { timeout: ACTION_MS });
  else await submit.click({ timeout: ACTION_MS, noWaitAfter: true });
}

async function firstVisible(page: Page, selectors: readonly string[]): Promise<Locator | undefined> {
  for (const selector of selectors) {
    const locator = page.locator(selector).first();
    if (await isVisible(locator)) return locator;
  }
  return undefined;
}

/** Keeps the last screen, with its fields emptied. Never throws. */
async function keepScreen(
  { page, keep }: DriveOptions,
  { last }: DriveState,
  error: CodexlbError,
): Promise<void> {
  try {
    await page.evaluate(BLANK_FIELDS);
    const picture = await page.screenshot({ timeout: ACTION_MS });
    const known = last === undefined ? "unknown" : `"${last.name}"`;
    const screen =
      error.code === "login_unexpected_screen" && last !== undefined ? `unknown, after ${known}` : known;
    const title = (await page.title()).replace(/\s+/g, " ").slice(0, TITLE_CHARS);
    keep({
      picture,
      text: `${error.code}: ${error.message}\nscreen: ${screen}\ntitle: ${title}\nat ${placeOf(page)}\n`,
    });
  } catch {
    // the browser has exited
  }
}

const TITLE_CHARS = 200;
const BLANK_FIELDS = `for (const field of document.querySelectorAll("input, textarea")) field.value = "";`;

/** The address of the page without its query, which contains secrets of the login. */
function placeOf(page: Page): string {
  return page.url().replace(/[?#].*$/s, "");
}

/** The reason of the abort if the sign-in was aborted (also because the browser exited), else `error`. */
async function whyEnded(error: unknown, { page, signal, gone }: DriveOptions): Promise<CodexlbError> {
  const known = error instanceof CodexlbError ? error : unexpected(firstLine(error), page);
  if (known.code === "login_unexpected_screen")
    // Calls to an exiting browser may fail before its exit is reported.
    await Promise.race([gone, Bun.sleep(EXIT_NOTICE_MS)]);
  return signal.aborted && signal.reason instanceof CodexlbError ? signal.reason : known;
}

function unexpected(why: string, page: Page): CodexlbError {
  return new CodexlbError("login_unexpected_screen", `${why} (${placeOf(page)})`, {
    next: "try again",
  });
}

/** The first line of the browser's message, without the details that follow. */
function firstLine(error: unknown): string {
  return messageOf(error).split("\n")[0] ?? "";
}
