// The browser of a login: finds a Chromium-based browser on this machine and opens one page in it. Only this file loads
// playwright-core, and only when a login needs it.

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
  /** Resolves when the window was closed, or the browser exited. */
  readonly gone: Promise<void>;
  /** Ends the browser and removes all files that it wrote. */
  close(): Promise<void>;
}

export interface BrowserOptions {
  readonly executable: string;
  readonly headed: boolean;
  /** The browser writes only below it, so the next login finds and removes what a killed one left behind. */
  readonly layout: Layout;
  readonly env: Env;
  readonly platform: NodeJS.Platform;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The path of the browser's executable: `flag`, else the first one on PATH or in a usual place; undefined if none is
 * found. Throws `browser_not_found` if `flag` names none.
 */
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
          ? `${named} is not an executable file`
          : named.includes("/")
            ? `no browser found at ${named}`
            : `no browser named ${named} found on PATH`,
        { next: "check the path in --browser" },
      );
    return found;
  }
  const onPath = NAMES.map((name) => Bun.which(name, { PATH: env.PATH ?? "" })).find((path) => path !== null);
  return onPath ?? placesOf(platform, env).find((path) => existsSync(path));
}

/** Opens a page in a fresh profile. Throws `browser_not_found` if the browser does not start. */
export async function openBrowser(options: BrowserOptions): Promise<OpenBrowser> {
  const { executable, headed, layout, env, platform } = options;
  if (headed && platform === "linux" && !env.DISPLAY && !env.WAYLAND_DISPLAY)
    throw new CodexlbError(
      "browser_not_found",
      "--headed requires a display, but neither DISPLAY nor WAYLAND_DISPLAY is set",
      {
        next: "run it without --headed, or in a desktop session",
      },
    );
  const { chromium } = await import("playwright-core");
  const snap = platform === "linux" && isSnap(executable);
  const { path: home, release } = snap ? { path: snapHome(env), release: () => {} } : newLoginHome(layout);
  // Other processes of the browser may still write after the first one has exited.
  const removeHome = async () => {
    await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    release();
  };
  // An exit handler cannot wait, so it removes what it can.
  const removeHomeNow = () => rmSync(home, { recursive: true, force: true });
  process.on("exit", removeHomeNow);
  const cleaner = startCleaner(home, env);
  try {
    const context = await chromium.launchPersistentContext(join(home, "profile"), {
      executablePath: executable,
      headless: !headed,
      artifactsDir: home,
      env: definedOf({
        ...childEnvironment(env),
        ...(platform === "linux" && !snap ? privateEnvironment(env, home) : {}),
      }),
      // codexlb ends the browser itself. As root, Chromium does not start with its sandbox.
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
        await context.close().catch(() => {}); // the browser may have exited already
        await removeHome();
        cleaner.kill();
      },
    };
  } catch (error) {
    await removeHome();
    cleaner.kill();
    throw new CodexlbError(
      "browser_not_found",
      `${executable} did not start as a Chromium-based browser${reasonIn(messageOf(error))}`,
      { next: "name another browser with --browser PATH", cause: error },
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
 * Starts a shell that removes `home` if this process is killed. The shell waits for the end of a pipe, which the kernel
 * closes in any case. The browser exits at the same sign, and may write until then.
 */
function startCleaner(home: string, env: Env) {
  return Bun.spawn(["sh", "-c", CLEAN, "sh", home], {
    env: { PATH: env.PATH },
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
    // In its own process group, because a signal to ours must not end it.
    detached: true,
  });
}

const CLEAN = 'cat >/dev/null; for second in 1 2 3 4 5; do sleep 1; rm -rf "$1"; done';

/**
 * A snap cannot see hidden directories or the temporary directories of other programs. This one belongs to the snap.
 */
function snapHome(env: Env): string {
  const home = join(env.HOME ?? "/", "snap", "chromium", "common", `codexlb-${process.pid}`);
  makePrivateDirectory(home);
  return home;
}

/** True for a snap, and for Ubuntu's chromium-browser, which is a script that starts the snap. */
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

/** The length that Chromium adds to TMPDIR for the path of its socket. */
const SOCKET_CHARS = "/org.chromium.Chromium.XXXXXX/SingletonSocket".length;
/** The longest path of a unix socket. */
const LONGEST_SOCKET = 103;

/** Browsers and their libraries write to HOME as well as to the profile. */
function privateEnvironment(env: Env, home: string): Env {
  return {
    HOME: home,
    ...(home.length + SOCKET_CHARS <= LONGEST_SOCKET ? { TMPDIR: home } : {}),
    XDG_CONFIG_HOME: undefined,
    XDG_CACHE_HOME: undefined,
    XDG_DATA_HOME: undefined,
    // The X server's key is in the real HOME.
    XAUTHORITY: env.XAUTHORITY ?? join(env.HOME ?? "/", ".Xauthority"),
  };
}

function definedOf(env: Env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** The reason in Playwright's message: the browser's fatal error, else its last line of output. */
function reasonIn(message: string): string {
  const lines = [...Bun.stripANSI(message).matchAll(/\[err\] (?:\[\S+:(\w+):\S+\] )?(.+)/g)];
  const line = lines.find(([, level]) => level === "FATAL") ?? lines.at(-1);
  const why = line?.[2] ?? /spawn .*/.exec(message)?.[0];
  return why === undefined ? "" : `: ${why.trim()}`;
}
