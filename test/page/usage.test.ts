// The usage on the dashboard in a real browser: its figures, its chart, downloads, updates, and hostile names.

import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { startOfDay } from "../../src/core/local-days.ts";
import type { UsageReport } from "../../src/core/usage-report.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { quote } from "../../src/quote.ts";
import { recordTurns } from "../support/record-turns.ts";
import { violationsOn } from "./axe.ts";
import {
  hasBrowser,
  hide,
  openPage,
  openView,
  overflowOf,
  startDashboardPool,
  useDashboard,
} from "./open-dashboard.ts";

const MARKUP = `<img src=x onerror="document.title='owned'">`;
const SESSION = "0199f0a2-7c1e-7d33-9f00-000000000001";
const DAY_MS = 86_400_000;

/** Records a year of turns: two each day, by three accounts, of which one has a hostile name. */
function recordYear(root: string): void {
  const today = startOfDay(Date.now()) + 60_000;
  recordTurns(
    join(root, "usage.db"),
    Array.from({ length: 720 }, (_, index) => ({
      startedMs: startOfDay(today - Math.floor(index / 2) * DAY_MS) + 60_000 + index,
      accountAlias: ["alice", "bob", MARKUP][index % 3],
      session: SESSION,
      requestedModel: ["gpt-6.2-sol", "unheard-of"][index % 2],
      // All turns without a known project are of one account.
      project: index % 3 === 2 ? undefined : `/home/ann/${MARKUP}`,
      outcome: index % 10 === 0 ? ("failed" as const) : ("completed" as const),
      switches: index === 0 ? [{ from: MARKUP, to: "bob", reason: "usage-limit" }] : [],
    })),
  );
}

describe.skipIf(!hasBrowser())("the usage on the dashboard", () => {
  const used = useDashboard(() => startDashboardPool(["alice:40", "bob:40"]));
  let context: BrowserContext;
  beforeEach(async () => {
    context = await used.browser.newContext({ viewport: { width: 1280, height: 900 } });
  });
  afterEach(() => context.close());

  const openUsage = async () => {
    const opened = await openView(context, used.pool, "Usage");
    await opened.page.getByText("Loading").waitFor({ state: "detached" });
    return opened;
  };

  test("says that there are no turns yet, and shows the first one when it has ended", async () => {
    const { page, requests, problems } = await openUsage();
    await page.getByRole("heading", { name: "No turns in the last 7 days" }).waitFor();
    await page.getByText("codexlb usage --since 7d --by account").waitFor();
    expect(await violationsOn(page)).toEqual([]);
    const asked = () => requests.filter(({ url }) => url.includes("/_/usage")).length;
    expect(asked()).toBe(1);
    // The page waits until ten seconds after its last request.
    await page.clock.install();
    await createSseClient(used.pool.url(), "s-1").turn("hello");
    await page.clock.fastForward(11_000);
    const table = page.getByRole("table", { name: "Accounts", exact: true });
    await table.getByText("alice").waitFor();
    expect(asked()).toBe(2);
    expect(problems).toEqual([]);
  });

  test("asks nothing while it is hidden, or while no turn ends", async () => {
    const { page, requests } = await openUsage();
    const asked = () => requests.filter(({ url }) => url.includes("/_/usage")).length;
    await page.clock.install();
    await page.clock.fastForward(60_000);
    expect(asked()).toBe(1);
    await hide(page, true);
    await createSseClient(used.pool.url(), "s-2").turn("hello");
    await page.clock.fastForward(60_000);
    expect(asked()).toBe(1);
    await hide(page, false);
    await page.waitForRequest((request) => request.url().includes("/_/usage"));
  });

  test("continues after a restart of the proxy, when another tab has opened a new link", async () => {
    const { page } = await openUsage();
    await used.pool.restartProxy();
    await page.getByText("The session has ended").waitFor();
    await openPage(context, await used.pool.link());
    await page.getByText("live", { exact: true }).waitFor();
    const again = page.waitForResponse((response) => response.url().includes("/_/usage") && response.ok());
    await createSseClient(used.pool.url(), "s-3").turn("hello");
    await page.clock.install();
    await page.clock.fastForward(11_000);
    await again;
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  describe("with a year of turns", () => {
    beforeAll(async () => {
      await used.pool.stopProxy();
      recordYear(used.pool.tool.root);
      await used.pool.startProxy();
    });

    test("shows the figures of codexlb usage for every period and grouping", async () => {
      const { page, problems } = await openUsage();
      for (const [period, since] of [
        ["24 h", "24h"],
        ["7 days", "7d"],
        ["30 days", "30d"],
        ["90 days", "90d"],
        ["52 weeks", "52w"],
      ] as const)
        for (const [title, by] of [
          ["Account", "account"],
          ["Model", "model"],
          ["Project", "project"],
          ["Session", "session"],
          ["Client key", "key"],
        ] as const) {
          await page.getByRole("radio", { name: period }).check();
          await page.getByRole("combobox", { name: "By" }).selectOption(title);
          await page.getByText(`codexlb usage --since ${since} --by ${by}`).waitFor();
          await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
          const { lines, total } = JSON.parse(
            await used.pool.run("usage", "--since", since, "--by", by, "--json"),
          ) as UsageReport;
          const rows = page.getByRole("table", { name: `${title}s`, exact: true }).getByRole("row");
          expect([since, by, await rows.count()]).toEqual([since, by, lines.length + 2]);
          expect(await rows.last().textContent()).toStartWith(`Total${total.turns}${total.failed}`);
          for (const [index, line] of lines.entries())
            expect(await rows.nth(index + 1).textContent()).toContain(`${line.turns}${line.failed}`);
        }
      expect(problems).toEqual([]);
    });

    test("is limited to an account, and to the groups that are chosen in its table", async () => {
      const { page, problems } = await openUsage();
      const terminal = (flags: string) =>
        page.getByText(`codexlb usage --since 7d --by ${flags}`, { exact: true }).waitFor();
      const turns = async (name: string, ...flags: string[]) => {
        await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
        const { total } = JSON.parse(await used.pool.run("usage", "--json", ...flags)) as UsageReport;
        const last = page.getByRole("table", { name, exact: true }).getByRole("row").last();
        expect(await last.textContent()).toContain(`${total.turns}${total.failed}`);
        expect(total.turns).toBeGreaterThan(0);
      };
      await page.getByRole("combobox", { name: "Account" }).selectOption("alice");
      await page.getByRole("combobox", { name: "By" }).selectOption("Session");
      await terminal("session --account alice");
      await turns("Sessions", "--by", "session", "--account", "alice");
      const row = page.getByRole("table", { name: "Sessions", exact: true }).getByRole("row").nth(1);
      expect(await row.textContent()).toMatch(/^0199f0a2-7c1e.*\d\d:\d\d/);
      expect(await violationsOn(page)).toEqual([]);
      await page.getByRole("button", { name: "0199f0a2-7c1e: show only this" }).click();
      await page.getByRole("combobox", { name: "By" }).selectOption("Model");
      await page.getByRole("button", { name: "gpt-6.2-sol: show only this" }).click();
      await terminal(`model --account alice --session ${SESSION} --model gpt-6.2-sol`);
      await turns("Models", "--account", "alice", "--model", "gpt-6.2-sol", "--session", SESSION);
      expect(await violationsOn(page)).toEqual([]);
      // The filters stay while the tab is open.
      await page.getByRole("link", { name: "Log", exact: true }).click();
      await page.getByRole("link", { name: "Usage", exact: true }).click();
      await page.getByRole("button", { name: `Remove the filter: session ${SESSION}` }).click();
      await page.getByRole("combobox", { name: "Account" }).selectOption("bob");
      await page.getByRole("combobox", { name: "By" }).selectOption("Project");
      await page.getByRole("button", { name: "<img" }).click();
      await terminal(`project --account bob --model gpt-6.2-sol --project ${quote(`/home/ann/${MARKUP}`)}`);
      await turns("Projects", "--account", "bob", "--model", "gpt-6.2-sol");
      expect(await page.locator("img").count()).toBe(0);
      expect(problems).toEqual([]);
    });

    test("is limited to turns without a project, which no flag of the command selects", async () => {
      const { page, problems } = await openUsage();
      await page.getByRole("combobox", { name: "By" }).selectOption("Project");
      await page.getByRole("button", { name: "unknown: show only this" }).click();
      await page.getByText("only project unknown").waitFor();
      await page.locator("[aria-busy=true]").waitFor({ state: "detached" });
      const { lines } = JSON.parse(await used.pool.run("usage", "--by", "project", "--json")) as UsageReport;
      const unknown = lines.find(({ name }) => name === "");
      const rows = page.getByRole("table", { name: "Projects", exact: true }).getByRole("row");
      expect(await rows.allTextContents()).toHaveLength(3);
      expect(await rows.last().textContent()).toStartWith(`Total${unknown?.turns}${unknown?.failed}`);
      expect(await page.getByText("The same in a terminal").count()).toBe(0);
      expect(await violationsOn(page)).toEqual([]);
      await page.getByRole("button", { name: "Remove the filter: project unknown" }).click();
      await page.getByText("codexlb usage --since 7d --by project", { exact: true }).waitFor();
      expect(problems).toEqual([]);
    });

    test("shows hostile names as text", async () => {
      const { page, problems } = await openUsage();
      await page.getByRole("radio", { name: "52 weeks" }).check();
      await page.getByRole("table", { name: "Failovers within a turn" }).getByText("<img").waitFor();
      expect(await page.locator("img, script:not([src])").count()).toBe(0);
      for (const width of [360, 1280, 2560]) {
        await page.setViewportSize({ width, height: 900 });
        expect([width, await overflowOf(page)]).toEqual([width, 0]);
      }
      expect(await page.title()).toBe("edge - codexlb");
      expect(problems).toEqual([]);
    });

    test("has the chart's figures for the keyboard, and in a table", async () => {
      const { page } = await openUsage();
      await page.getByRole("combobox", { name: "Chart" }).selectOption("Turns");
      const chart = page.getByRole("slider", { name: "Turns over time by account, last 7 days" });
      const text = () => chart.getAttribute("aria-valuetext");
      await chart.focus();
      await page.keyboard.press("Home");
      await page.locator(".chosen").waitFor();
      const first = await text();
      expect(first).toMatch(/^\d+ \w+: 2; /);
      await page.keyboard.press("ArrowRight");
      expect(await text()).not.toBe(first);
      await page.keyboard.press("Escape");
      await page.locator(".chosen").waitFor({ state: "detached" });
      await page.getByText("The figures of the chart").click();
      const rows = page.getByRole("table", { name: /^Turns over time/ }).getByRole("row");
      expect(await rows.count()).toBe(8);
      expect(await rows.last().textContent()).toContain(first?.split(":")[0] ?? "?");
      expect(await violationsOn(page)).toEqual([]);
    });

    test("saves the figures as CSV", async () => {
      const { page } = await openUsage();
      const saved = async (button: string) => {
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name: button, exact: true }).click(),
        ]);
        return [download.suggestedFilename(), await Bun.file(await download.path()).text()] as const;
      };
      const [name, text] = await saved("Download CSV");
      expect(name).toBe("codexlb-usage-7d-account.csv");
      expect(text.trim()).toBe(await used.pool.run("usage", "--since", "7d", "--by", "account", "--csv"));
      await page.getByText("The figures of the chart").click();
      const [ofChart, chart] = await saved("Download CSV of the chart");
      expect(ofChart).toBe("codexlb-usage-7d-account-tokens.csv");
      expect(chart.split("\n").length).toBe(9);
      expect(chart).toContain('"<img src=x onerror=""document.title=\'owned\'"">"');
    });

    test("keeps the choice", async () => {
      const { page } = await openUsage();
      await page.getByRole("radio", { name: "30 days" }).check();
      await page.getByRole("link", { name: "Log", exact: true }).click();
      await page.getByRole("link", { name: "Usage", exact: true }).click();
      expect(await page.getByRole("radio", { name: "30 days" }).isChecked()).toBe(true);
    });

    test("says that turns are not recorded, and how to record them", async () => {
      const config = join(used.pool.tool.root, "config.toml");
      await used.pool.stopProxy();
      await Bun.write(config, `${await Bun.file(config).text()}[usage]\nenabled = false\n`);
      await used.pool.startProxy();
      const { page } = await openUsage();
      await page.getByRole("status").getByText("usage.enabled = true").waitFor();
      await page.getByRole("table", { name: "Accounts", exact: true }).waitFor();
      expect(await violationsOn(page)).toEqual([]);
    });
  });
});
