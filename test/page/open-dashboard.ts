// Runs the executable as a backend and as a proxy, and opens its dashboard in a real browser.

import { afterAll, beforeAll } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { findBrowser } from "../../src/login/browser.ts";
import { type Executable, executable, type RunningProcess } from "../support/executable.ts";
import { type PastTurn, recordTurns } from "../support/record-turns.ts";

/** True if this machine has a browser for the tests. Prints why they are skipped otherwise. */
export function hasBrowser(): boolean {
  if (BROWSER === undefined)
    console.log("skipped: the page of the dashboard, because no Chromium is installed");
  return BROWSER !== undefined;
}

export interface DashboardPool extends AsyncDisposable {
  readonly tool: Executable;
  /** The origin of the simulated backend. */
  readonly backend: string;
  url(): string;
  /** The link that `codexlb dashboard --print` prints. */
  link(): Promise<string>;
  /** Runs the executable, which must succeed. */
  run(...args: string[]): Promise<string>;
  stopProxy(): Promise<void>;
  /** Starts a new proxy on the port of the last one. */
  startProxy(): Promise<void>;
  restartProxy(): Promise<void>;
}

/**
 * Starts a pool of `accounts`, in the form of `codexlb mock --accounts`. `config`: the text of config.toml. `turns`:
 * what the proxy's usage database contains already.
 */
export async function startDashboardPool(
  accounts: readonly string[],
  config = '[proxy]\nname = "edge"\n[policy]\nmode = "sticky"\n',
  turns: readonly PastTurn[] = [],
): Promise<DashboardPool> {
  const tool = executable();
  const homes = join(tool.directory, "logins");
  const run = async (...args: string[]) => {
    const ran = await tool.run(args);
    if (ran.code !== 0) throw new Error(`codexlb ${args.join(" ")}: ${ran.err}`);
    return ran.out.trim();
  };
  await Bun.write(join(tool.root, "config.toml"), config);
  if (turns.length > 0) recordTurns(join(tool.root, "usage.db"), turns);
  const mock = await tool.start([
    ...["mock", "--port", "0", "--accounts", accounts.join(","), "--homes", homes],
  ]);
  const upstream = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
  const origin = new URL(upstream).origin;
  const start = (port: string) =>
    tool.start(["proxy", "--listen", `127.0.0.1:${port}`, "--upstream", upstream], {
      CODEXLB_TOKEN_URL: `${origin}/oauth/token`,
    });
  let proxy: RunningProcess = await start("0");
  const url = () => /listening on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
  for (const alias of accounts.map((account) => account.split(":")[0] ?? ""))
    await run("account", "import", "--from", join(homes, alias), alias);
  const stopProxy = async () => {
    await proxy.stop();
  };
  const startProxy = async () => {
    proxy = await start(new URL(url()).port);
  };
  return {
    tool,
    backend: origin,
    url,
    run,
    link: () => run("dashboard", "--print"),
    stopProxy,
    startProxy,
    restartProxy: async () => {
      await stopProxy();
      await startProxy();
    },
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await mock[Symbol.asyncDispose]();
      tool[Symbol.dispose]();
    },
  };
}

/** Starts the browser without a window. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(BROWSER === undefined ? {} : { executablePath: BROWSER }),
    args: ["--disable-gpu", "--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
  });
}

/** A pool and a browser, which are started before the tests of a block and end after them. */
export interface UsedDashboard {
  readonly pool: DashboardPool;
  readonly browser: Browser;
}

/** Starts a pool with `start` and a browser for the tests of the current block. */
export function useDashboard(start: () => Promise<DashboardPool>): UsedDashboard {
  let used: UsedDashboard | undefined;
  const started = (): UsedDashboard => {
    if (used === undefined) throw new Error("the pool and the browser are not started yet");
    return used;
  };
  beforeAll(async () => {
    const [pool, browser] = await Promise.all([start(), launchBrowser()]);
    used = { pool, browser };
  });
  afterAll(async () => {
    await used?.browser.close();
    await used?.pool[Symbol.asyncDispose]();
  });
  return {
    get pool() {
      return started().pool;
    },
    get browser() {
      return started().browser;
    },
  };
}

/** A page and what it requested. */
export interface OpenedPage {
  readonly page: Page;
  readonly requests: readonly { readonly url: string; readonly bytes: () => Promise<number> }[];
  /** Errors and warnings that the browser printed. */
  readonly problems: readonly string[];
}

/** Opens `link` in a new page of `context`, and waits until the page shows the proxy's state. */
export async function openPage(context: BrowserContext, link: string): Promise<OpenedPage> {
  const page = await context.newPage();
  const requests: { url: string; bytes: () => Promise<number> }[] = [];
  const problems: string[] = [];
  page.on("request", (request) => {
    const bytes = async () => {
      const response = await request.response();
      if (response?.headers()["content-type"]?.startsWith("text/event-stream") === true) return 0;
      return (await response?.body())?.byteLength ?? 0;
    };
    requests.push({ url: request.url(), bytes });
  });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(link);
  await page.getByText("live", { exact: true }).waitFor();
  return { page, requests, problems };
}

/** Opens the dashboard of `pool` with one of its views. */
export async function openView(
  context: BrowserContext,
  pool: DashboardPool,
  view: string,
): Promise<OpenedPage> {
  const opened = await openPage(context, await pool.link());
  await opened.page.getByRole("link", { name: view, exact: true }).click();
  return opened;
}

/** Makes `page` believe that its tab is hidden, or visible again. */
export function hide(page: Page, hidden: boolean): Promise<unknown> {
  return page.evaluate(`
    Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  `);
}

/** Keeps a picture of `page` as NAME.png in the directory `CODEXLB_TEST_PICTURES`, if that is set. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const { CODEXLB_TEST_PICTURES: directory } = process.env;
  if (directory === undefined) return;
  mkdirSync(directory, { recursive: true });
  // Nothing below the pointer is highlighted.
  await page.mouse.move(0, 0);
  await page
    .locator("body")
    .screenshot({ path: join(directory, `${name.toLowerCase().replaceAll(" ", "-")}.png`) });
}

/** By how many pixels the page is wider than its window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}

// --- internal ---

const BROWSER = findBrowser(undefined, process.env, process.platform);
