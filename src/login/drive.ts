// Drives the sign-in in a browser: looks which screen is there, does what there is to do, waits for the next one. Every
// wait has an end, and what is typed is never part of a message or a picture.

import type { Locator, Page } from "playwright-core";
import { CodexlbError, messageOf } from "../errors.ts";
import type { LastScreen } from "./last-screen.ts";
import { orAborted } from "./or-aborted.ts";
import { SCREENS, type Screen, type Stop, SUBMIT } from "./screens.ts";
import { totpCode } from "./totp.ts";

export interface Secrets {
  readonly username: string;
  readonly password: string;
  /** Base32; undefined: there is none. */
  readonly totp: string | undefined;
}

export interface DriveOptions {
  readonly page: Page;
  /** Where the sign-in begins. */
  readonly url: string;
  readonly secrets: Secrets;
  /** Settles when the login is over, however it ended; the driving stops then. */
  readonly over: Promise<unknown>;
  /** A person does what the program cannot; it goes on behind that. */
  readonly headed: boolean;
  /** Told each screen as it is come to. */
  readonly progress: (what: string) => void;
  /** Gets the last screen after a failure. */
  readonly keep: (screen: LastScreen) => void;
  /** Resolves when the browser has ended; `signal` is aborted then. */
  readonly gone: Promise<void>;
  /** Its reason is thrown. */
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** Resolves when `over` has settled. Throws a `login_…` error for what stops it. */
export async function driveSignIn(options: DriveOptions): Promise<void> {
  const { page, url, over, signal } = options;
  const way: Way = { isOver: false, before: "", last: undefined, dealtWith: new Set(), told: new Set() };
  const end = () => {
    way.isOver = true;
  };
  over.then(end, end);
  try {
    options.progress("opening the sign-in");
    await openPage(page, url, signal);
    for (let acts = 0; acts < MOST_ACTS; ) {
      const screen = await nextScreen(options, way);
      if (screen === "over") return;
      way.last = screen;
      const stop = stopOf(screen, way, options.secrets);
      if (stop === undefined) {
        acts++;
        options.progress(screen.name);
        await act(options, screen);
        way.dealtWith.add(screen.name);
      } else leaveToPerson(options, way, screen, stop);
    }
    throw unexpected("the sign-in goes round in a circle", page);
  } catch (error) {
    const known = await whyEnded(error, options);
    if (!signal.aborted || known.code === "login_timeout") await keepScreen(options, way, known);
    throw known;
  }
}

// --- internal ---

/** How long the next screen may take to come. */
const SCREEN_MS = 20_000;
const POLL_MS = 150;
/** More than any sign-in has. */
const MOST_ACTS = 25;
const ACTION_MS = 5_000;
const END_TOLD_MS = 500;
/** Stands for every screen that is not known. */
const UNKNOWN = "";
/** Pages come in parts, and a button may be there before the field that it belongs to: a screen must last this long. */
const LOOKS = 2;
/** One that was filled in already may only be on its way out: as it is sent, pages change their words. */
const LOOKS_AGAIN = 20;

/** Where the sign-in is. */
interface Way {
  isOver: boolean;
  /** The screen that was come to last, as `fingerprint` tells it. */
  before: string;
  last: Screen | undefined;
  readonly dealtWith: Set<string>;
  /** Screens that a person was told to see to. */
  readonly told: Set<string>;
}

async function openPage(page: Page, url: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await orAborted(page.goto(url, { timeout: SCREEN_MS, waitUntil: "domcontentloaded" }), signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = /net::(\w+)/.exec(messageOf(error))?.[1] ?? firstLine(error);
    const where = URL.canParse(url) ? new URL(url).origin : "an address that is none";
    throw new CodexlbError("login_failed", `opening the sign-in at ${where}: ${why}`, {
      next: "check the network from here to there, and CODEXLB_ISSUER if it is set",
    });
  }
}

/** The screen that is there once it is another than the one before. */
async function nextScreen(options: DriveOptions, way: Way): Promise<Screen | "over"> {
  const { page, signal, headed, progress } = options;
  const deadlineMs = performance.now() + SCREEN_MS;
  let last: string | undefined;
  let looks = 0;
  for (;;) {
    if (performance.now() > deadlineMs) {
      if (!headed) break;
      if (!way.told.has(UNKNOWN)) progress("this screen is not known: please see to it in the window");
      way.told.add(UNKNOWN);
    }
    if (way.isOver) return "over";
    signal.throwIfAborted();
    const screen = await seenOn(page, way);
    const seen = screen === undefined ? undefined : await fingerprint(page, screen);
    looks = seen === last ? looks + 1 : 1;
    last = seen;
    if (screen !== undefined && seen !== way.before && looks >= looksFor(screen, way)) {
      // As it is before anything is done: the next one may be there before that has ended.
      way.before = seen ?? "";
      return screen;
    }
    await Bun.sleep(POLL_MS);
  }
  throw unexpected(
    way.last === undefined
      ? "no screen came that is known"
      : `behind the screen "${way.last.name}" no other came that is known`,
    page,
  );
}

function looksFor({ name, act }: Screen, { dealtWith }: Way): number {
  return act.kind === "fill" && dealtWith.has(name) ? LOOKS_AGAIN : LOOKS;
}

async function seenOn(page: Page, { dealtWith }: Way): Promise<Screen | undefined> {
  for (const screen of SCREENS) {
    if (screen.after !== undefined && !dealtWith.has(screen.after)) continue;
    const shown = await Promise.all(screen.seen.map((selector) => isVisible(page.locator(selector))));
    if (shown.includes(true)) return screen;
  }
  return undefined;
}

/** False as well while the page is on its way to another. */
async function isVisible(locator: Locator): Promise<boolean> {
  try {
    return await locator.first().isVisible();
  } catch {
    return false;
  }
}

/** Tells one showing of a screen from the next: where it is, and what it says. */
async function fingerprint(page: Page, { name }: Screen): Promise<string> {
  const text = await page.evaluate("document.body ? document.body.innerText : ''").catch(() => "");
  return `${name} ${page.url()} ${text}`;
}

/** Why nothing can be done on `screen`. */
function stopOf({ name, act }: Screen, { dealtWith }: Way, secrets: Secrets): Stop | undefined {
  if (act.kind === "stop") return act.stop;
  if (act.kind === "click") return undefined;
  if (secrets[act.with] === undefined) return act.lacking;
  return dealtWith.has(name) ? act.again : undefined;
}

function leaveToPerson(
  { headed, progress }: DriveOptions,
  { told }: Way,
  { name }: Screen,
  stop: Stop,
): void {
  if (!headed) throw new CodexlbError(stop.code, stop.what, { next: stop.next });
  if (!told.has(name)) progress(`${stop.what}: please see to it in the window`);
  told.add(name);
}

async function act({ page, secrets, now }: DriveOptions, { name, act }: Screen): Promise<void> {
  if (act.kind === "stop") return;
  const target = await firstVisible(page, act.kind === "click" ? act.on : act.into);
  if (act.kind === "click") return target?.click({ timeout: ACTION_MS, noWaitAfter: true });
  const given = secrets[act.with] ?? "";
  const value = act.with === "totp" ? totpCode(given, now()) : given;
  if (target === undefined) throw unexpected(`the field of the screen "${name}" is gone`, page);
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

/** The last screen, with what stands in its fields taken out; never a reason to fail. */
async function keepScreen({ page, keep }: DriveOptions, { last }: Way, error: CodexlbError): Promise<void> {
  try {
    await page.evaluate(BLANK_FIELDS);
    const picture = await page.screenshot({ timeout: ACTION_MS });
    const known = last === undefined ? "none that is known" : `"${last.name}"`;
    const screen =
      error.code === "login_unexpected_screen" && last !== undefined
        ? `one that is not known, behind ${known}`
        : known;
    const title = (await page.title()).replace(/\s+/g, " ").slice(0, TITLE_CHARS);
    keep({
      picture,
      text: `${error.code}: ${error.message}\nscreen: ${screen}\ntitle: ${title}\nat ${placeOf(page)}\n`,
    });
  } catch {
    // a browser that is gone has no picture
  }
}

const TITLE_CHARS = 200;
const BLANK_FIELDS = `for (const field of document.querySelectorAll("input, textarea")) field.value = "";`;

/** Where the page is, without the query, which holds what is the login's own. */
function placeOf(page: Page): string {
  return page.url().replace(/[?#].*$/s, "");
}

/** `error`, unless there is a better reason: it was stopped, or there is no browser any more. */
async function whyEnded(error: unknown, { page, signal, gone }: DriveOptions): Promise<CodexlbError> {
  const known = error instanceof CodexlbError ? error : unexpected(firstLine(error), page);
  if (known.code === "login_unexpected_screen")
    // What is asked of a browser that ends may fail before its end is told.
    await Promise.race([gone, Bun.sleep(END_TOLD_MS)]);
  return signal.aborted && signal.reason instanceof CodexlbError ? signal.reason : known;
}

function unexpected(why: string, page: Page): CodexlbError {
  return new CodexlbError("login_unexpected_screen", `${why} (${placeOf(page)})`, {
    next: "try again",
  });
}

/** What a browser says, without the pages that it adds. */
function firstLine(error: unknown): string {
  return messageOf(error).split("\n")[0] ?? "";
}
