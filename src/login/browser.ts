// The browser of a login: finds one of the Chromium family on this machine and opens one page in it. The only place
// that loads playwright-core, and only when a login needs it.

import { closeSync, existsSync, openSync, readSync, realpathSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Page } from "playwright-core";
import { newLoginHome } from "../auth/leftovers.ts";
import { childEnvironment } from "../codex/run.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { makePrivateDirectory } from "../state/atomic-file.ts";
import type { Layout } from "../state/layout.ts";

export interface OpenBrowser {
  readonly page: Page;
  /** Resolves when the window was closed, or the browser has ended. */
  readonly gone: Promise<void>;
  /** Ends the browser and removes all that it wrote. */
  close(): Promise<void>;
}

export interface BrowserOptions {
  readonly executable: string;
  readonly headed: boolean;
  /** All that the browser writes goes below it: what a killed login leaves is found and removed by the next one. */
  readonly layout: Layout;
  readonly env: Env;
  readonly platform: NodeJS.Platform;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The browser's executable: `flag`, else what is on PATH or in the usual places; undefined when there is none. */
export function findBrowser(
  flag: string | undefined,
  env: Env,
  platform: NodeJS.Platform,
): string | undefined {
  const named = flag?.trim();
  if (named) {
    const found = Bun.which(named, { PATH: env.PATH ?? "" }) ?? undefined;
    if (found === undefined)
      throw new CodexlbError(
        "browser_not_found",
        existsSync(named)
          ? `${named} is not a program`
          : `there is no browser ${named.includes("/") ? "at" : "on PATH that is called"} ${named}`,
        { next: "check --browser" },
      );
    return found;
  }
  const onPath = NAMES.map((name) => Bun.which(name, { PATH: env.PATH ?? "" })).find((path) => path !== null);
  return onPath ?? placesOf(platform, env).find((path) => existsSync(path));
}

/** Opens a page in a fresh profile. Throws `browser_not_found` when the browser does not start. */
export async function openBrowser(options: BrowserOptions): Promise<OpenBrowser> {
  const { executable, headed, layout, env, platform } = options;
  if (headed && platform === "linux" && !env.DISPLAY && !env.WAYLAND_DISPLAY)
    throw new CodexlbError("browser_not_found", "--headed needs a display, and there is none", {
      next: "leave --headed out, or run it in a desktop session",
    });
  const { chromium } = await import("playwright-core");
  const snap = platform === "linux" && isSnap(executable);
  const { path: home, release } = snap ? { path: snapHome(env), release: () => {} } : newLoginHome(layout);
  // Its processes may still be writing when the first of them has ended.
  const forget = async () => {
    await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    release();
  };
  // For whoever cannot wait for the end: what can be removed at once is.
  const forgetAtOnce = () => rmSync(home, { recursive: true, force: true });
  process.on("exit", forgetAtOnce);
  const heir = leaveToHeir(home, env);
  try {
    const context = await chromium.launchPersistentContext(join(home, "profile"), {
      executablePath: executable,
      headless: !headed,
      artifactsDir: home,
      env: definedOf({
        ...childEnvironment(env),
        ...(platform === "linux" && !snap ? privateEnvironment(env, home) : {}),
      }),
      // Codexlb ends it itself, in order; and a browser of root's has no sandbox.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      args: [
        "--disable-gpu",
        "--disable-dev-shm-usage",
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      ],
    });
    const page = context.pages()[0] ?? (await context.newPage());
    return {
      page,
      gone: new Promise<void>((resolve) => {
        page.once("close", () => resolve());
        page.once("crash", () => resolve());
        context.once("close", () => resolve());
      }),
      close: async () => {
        await context.close().catch(() => {}); // it may be gone already
        await forget();
        heir.kill();
      },
    };
  } catch (error) {
    await forget();
    heir.kill();
    throw new CodexlbError(
      "browser_not_found",
      `${executable} did not start as a browser of the Chromium family${reasonIn(messageOf(error))}`,
      { next: "try another one with --browser PATH", cause: error },
    );
  }
}

// --- internal ---

const NAMES = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "chrome",
  "microsoft-edge",
  "microsoft-edge-stable",
  "msedge",
  "brave-browser",
  "brave",
  "vivaldi-stable",
] as const;

function placesOf(platform: NodeJS.Platform, env: Env): string[] {
  switch (platform) {
    case "darwin":
      return ["Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser"].flatMap((name) =>
        ["/Applications", join(env.HOME ?? "/", "Applications")].map((folder) =>
          join(folder, `${name}.app`, "Contents", "MacOS", name),
        ),
      );
    case "win32":
      return [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA]
        .filter((folder) => folder !== undefined)
        .flatMap((folder) => [
          join(folder, "Google", "Chrome", "Application", "chrome.exe"),
          join(folder, "Microsoft", "Edge", "Application", "msedge.exe"),
        ]);
    default:
      return ["/snap/bin/chromium", "/opt/google/chrome/chrome", "/usr/lib/chromium/chromium"];
  }
}

/**
 * Who cannot clean up, being killed, has it done: a shell that waits for the end of a pipe, which the kernel brings about.
 * The browser goes by the same sign, and may be writing until then.
 */
function leaveToHeir(home: string, env: Env) {
  return Bun.spawn(["sh", "-c", HEIR, "sh", home], {
    env: { PATH: env.PATH },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    // In a group of its own: what ends ours is not meant for it.
    detached: true,
  });
}

const HEIR = 'cat >/dev/null; for second in 1 2 3 4 5; do sleep 1; rm -rf "$1"; done';

/** A snap sees neither hidden directories nor the temporary ones of others; this place is the snap's own. */
function snapHome(env: Env): string {
  const home = join(env.HOME ?? "/", "snap", "chromium", "common", `codexlb-${process.pid}`);
  makePrivateDirectory(home);
  return home;
}

/** Ubuntu's chromium-browser is a script that starts the snap's. */
function isSnap(executable: string): boolean {
  if (basename(realpathSync(executable)) === "snap") return true;
  const head = Buffer.alloc(4096);
  const file = openSync(executable, "r");
  try {
    return head.subarray(0, readSync(file, head)).includes("/snap/bin/");
  } finally {
    closeSync(file);
  }
}

/** What Chromium adds to TMPDIR for a socket, whose path has a bound. */
const SOCKET_CHARS = "/org.chromium.Chromium.XXXXXX/SingletonSocket".length;
const LONGEST_SOCKET = 103;

/** Browsers and the libraries below them write into HOME, whatever profile they are given. */
function privateEnvironment(env: Env, home: string): Env {
  return {
    HOME: home,
    ...(home.length + SOCKET_CHARS <= LONGEST_SOCKET ? { TMPDIR: home } : {}),
    XDG_CONFIG_HOME: undefined,
    XDG_CACHE_HOME: undefined,
    XDG_DATA_HOME: undefined,
    // An X server's key lies in the real HOME.
    XAUTHORITY: env.XAUTHORITY ?? join(env.HOME ?? "/", ".Xauthority"),
  };
}

function definedOf(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** What the browser itself said, in Playwright's account of it: its last words, or why it was fatal. */
function reasonIn(message: string): string {
  const lines = [...Bun.stripANSI(message).matchAll(/\[err\] (?:\[\S+:(\w+):\S+\] )?(.+)/g)];
  const said = lines.find(([, level]) => level === "FATAL") ?? lines.at(-1);
  const why = said?.[2] ?? /spawn .*/.exec(message)?.[0];
  return why === undefined ? "" : `: ${why.trim()}`;
}
