// Opens an address in the user's browser.

import type { Deps } from "../../deps.ts";

/**
 * Starts the desktop's program for addresses, without waiting for the browser. Returns why that is not possible;
 * undefined if it started.
 */
export async function openInBrowser(
  url: string,
  env: Deps["env"],
  platform: NodeJS.Platform,
): Promise<string | undefined> {
  if (platform === "linux" && !env.DISPLAY && !env.WAYLAND_DISPLAY) return "there is no display here";
  const name = platform === "darwin" ? "open" : "xdg-open";
  const program = Bun.which(name, { PATH: env.PATH ?? "" });
  if (program === null) return `${name} is not installed`;
  try {
    const child = Bun.spawn([program, url], { env, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    // Some desktops run the browser as a child of this program, so it may not exit for hours.
    const code = await Promise.race([child.exited, Bun.sleep(FAILS_WITHIN_MS)]);
    child.unref();
    return code === undefined || code === 0 ? undefined : `${name} failed`;
  } catch {
    return `${name} could not be started`;
  }
}

// --- internal ---

/** A program that cannot open the address exits within this time. */
const FAILS_WITHIN_MS = 1_000;
