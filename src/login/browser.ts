// The browser of a login: finds one of the Chromium family on this machine and opens one page in it. The only place
// that loads playwright-core, and only when a login needs it.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { CodexlbError, messageOf } from "../errors.ts";

export interface OpenBrowser {
  readonly page: Page;
  /** Ends the browser and removes its profile. */
  close(): Promise<void>;
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
    const found = Bun.which(named, { PATH: env.PATH ?? "" }) ?? (existsSync(named) ? named : undefined);
    if (found === undefined)
      throw new CodexlbError("browser_not_found", `there is no browser at ${named}`, {
        next: "check --browser",
      });
    return found;
  }
  const onPath = NAMES.map((name) => Bun.which(name, { PATH: env.PATH ?? "" })).find((path) => path !== null);
  return onPath ?? placesOf(platform, env).find((path) => existsSync(path));
}

/** Opens a page in a fresh profile. Throws `browser_not_found` when the browser does not start. */
export async function openBrowser(
  executable: string,
  { headed }: { readonly headed: boolean },
): Promise<OpenBrowser> {
  const { chromium } = await import("playwright-core");
  try {
    const browser = await chromium.launch({
      executablePath: executable,
      headless: !headed,
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
    const page = await (await browser.newContext()).newPage();
    return { page, close: () => browser.close() };
  } catch (error) {
    throw new CodexlbError(
      "browser_not_found",
      `starting ${executable}: ${messageOf(error).split("\n")[0] ?? ""}`,
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
