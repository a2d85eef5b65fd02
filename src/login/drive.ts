// Drives the sign-in in a browser: looks which screen is there, does what there is to do, waits for the next one. Every
// wait has an end, and what is typed is never part of a message or a picture.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory, writeFileAtomic } from "../state/atomic-file.ts";
import { SCREENS, type Screen, SUBMIT } from "./screens.ts";
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
  /** A person can go on where the program cannot. */
  readonly headed: boolean;
  /** Told each screen as it is come to. */
  readonly progress: (what: string) => void;
  /** Where a picture of the last screen is kept after a failure. */
  readonly logs: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** How long the next screen may take to come. */
const SCREEN_MS = 20_000;
const POLL_MS = 150;
/** More screens than any sign-in has: it goes round in a circle. */
const MOST_SCREENS = 25;
const ACTION_MS = 5_000;

/** Resolves when `over` has settled. Throws a `login_…` error for what stops it. */
export async function driveSignIn(options: DriveOptions): Promise<void> {
  const { page, url, over, signal } = options;
  let isOver = false;
  const ended = over.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  try {
    options.progress("opening the sign-in");
    await page.goto(url, { timeout: SCREEN_MS, waitUntil: "domcontentloaded" });
    let before = "";
    for (let count = 0; count < MOST_SCREENS; count++) {
      const screen = await nextScreen(options, before, () => isOver);
      if (screen === "over") return;
      if (signal.aborted) throw timedOut();
      options.progress(screen.name);
      if (screen.act.kind === "stop") {
        const stop = new CodexlbError(screen.act.code, screen.act.what, { next: screen.act.next });
        if (!options.headed) throw stop;
        options.progress(`${stop.message}: finish it in the window`);
        return await untilOver(ended, signal);
      }
      await act(options, screen, screen.act);
      before = await fingerprint(page, screen);
    }
    throw unexpected(`the sign-in goes round in a circle`, page);
  } catch (error) {
    const known = error instanceof CodexlbError ? error : unexpected(firstLine(error), page);
    await keepPicture(options, known);
    throw known;
  }
}

// --- internal ---

async function untilOver(ended: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<"aborted">((resolve) =>
    signal.addEventListener("abort", () => resolve("aborted"), { once: true }),
  );
  if ((await Promise.race([ended, aborted])) === "aborted") throw timedOut();
}

/**
 * The screen that is there once it is another than `before`. It must be seen twice in a row: pages come in parts, and a
 * button may be there before the field that it belongs to.
 */
async function nextScreen(
  { page, signal, headed }: DriveOptions,
  before: string,
  isOver: () => boolean,
): Promise<Screen | "over"> {
  const deadlineMs = performance.now() + SCREEN_MS;
  let last: string | undefined;
  while (performance.now() < deadlineMs || headed) {
    if (isOver()) return "over";
    if (signal.aborted) throw timedOut();
    const screen = await seenOn(page);
    const seen = screen === undefined ? undefined : await fingerprint(page, screen);
    if (screen !== undefined && seen !== before && seen === last) return screen;
    last = seen;
    await Bun.sleep(POLL_MS);
  }
  throw unexpected(before === "" ? "a screen came that is not known" : "the screen did not change", page);
}

async function seenOn(page: Page): Promise<Screen | undefined> {
  for (const screen of SCREENS) {
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

async function act(
  { page, secrets, now }: DriveOptions,
  { name }: Screen,
  what: Exclude<Screen["act"], { kind: "stop" }>,
): Promise<void> {
  if (what.kind === "click") return click(page, what.on);
  const value =
    what.with === "totp"
      ? secrets.totp === undefined
        ? undefined
        : totpCode(secrets.totp, now())
      : secrets[what.with];
  if (value === undefined)
    throw new CodexlbError("login_mfa", "the sign-in asks for a one-time password", {
      next: "give the authenticator's secret with --totp-stdin, or finish it by hand with --headed",
    });
  const field = await firstVisible(page, what.into);
  if (field === undefined) throw unexpected(`the field of the screen "${name}" is gone`, page);
  await field.fill(value, { timeout: ACTION_MS });
  const submit = await firstVisible(page, SUBMIT);
  if (submit === undefined) await field.press("Enter", { timeout: ACTION_MS });
  else await submit.click({ timeout: ACTION_MS, noWaitAfter: true });
}

async function click(page: Page, on: readonly string[]): Promise<void> {
  const target = await firstVisible(page, on);
  await target?.click({ timeout: ACTION_MS, noWaitAfter: true });
}

async function firstVisible(page: Page, selectors: readonly string[]): Promise<Locator | undefined> {
  for (const selector of selectors) {
    const locator = page.locator(selector).first();
    if (await isVisible(locator)) return locator;
  }
  return undefined;
}

/** The last screen, with what stands in its fields taken out, and its name; never a reason to fail. */
async function keepPicture({ page, logs }: DriveOptions, error: CodexlbError): Promise<void> {
  try {
    await page.evaluate(BLANK_FIELDS);
    const picture = await page.screenshot({ timeout: ACTION_MS });
    makePrivateDirectory(logs);
    writeFileSync(join(logs, "login-with.png"), picture, { mode: 0o600 });
    writeFileAtomic(join(logs, "login-with.txt"), `${error.code}: ${error.message}\nat ${placeOf(page)}\n`);
  } catch {
    // a browser that is gone has no picture
  }
}

const BLANK_FIELDS = `for (const field of document.querySelectorAll("input, textarea")) field.value = "";`;

/** Where the page is, without the query, which holds what is the login's own. */
function placeOf(page: Page): string {
  return page.url().replace(/[?#].*$/s, "");
}

function unexpected(why: string, page: Page): CodexlbError {
  return new CodexlbError("login_unexpected_screen", `${why} (${placeOf(page)})`, {
    next: "look at logs/login-with.png in the root; try --headed, or codexlb account login ALIAS",
  });
}

function timedOut(): CodexlbError {
  return new CodexlbError("login_timeout", "the login took too long", {
    next: "give it more time with --timeout, or look on with --headed",
  });
}

/** What a browser says, without the pages that it adds. */
function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
