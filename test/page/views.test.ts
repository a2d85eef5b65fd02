// Every view of the dashboard in a real browser, by the executable, with few and with many accounts.

import { beforeAll, describe, expect, test } from "bun:test";
import { createSseClient } from "../../src/mock/client.ts";
import type { PastTurn } from "../support/record-turns.ts";
import { violationsOn } from "./axe.ts";
import {
  hasBrowser,
  keepPicture,
  openPage,
  overflowOf,
  startDashboardPool,
  useDashboard,
} from "./open-dashboard.ts";

const VIEWS = [
  "Accounts",
  "Activity",
  "Next turn",
  "Usage",
  "Forecast",
  "Log",
  "Proxies",
  "Settings",
] as const;
const FEW = ["alice:40", "bob:2", "carol:30:weekly"];
const MANY = Array.from({ length: 60 }, (_, index) => {
  const option = index % 7 === 0 ? ":weekly" : index % 5 === 0 ? ":credits=5" : "";
  return `account-${String(index + 1).padStart(2, "0")}:${index === 1 ? 2 : 5 + (index % 9)}${option}`;
});
/** The pictures show what users set for accounts. */
const CONFIG = [
  "[proxy]",
  'name = "edge"',
  "[policy]",
  'mode = "sticky"',
  "[accounts.alice]",
  'floor_weekly = "20%"',
  "[accounts.carol]",
  'tags = ["work"]',
  'note = "renewed in January"',
  "[accounts.account-05]",
  "priority = -1",
  'floor_weekly = "20%"',
].join("\n");
const MOST_BYTES = 300 * 1024;
const DAY_MS = 86_400_000;

for (const [name, accounts] of [
  ["three accounts", FEW],
  ["sixty accounts", MANY],
] as const)
  describe.skipIf(!hasBrowser())(`the dashboard with ${name}`, () => {
    const aliases = accounts.map((account) => account.split(":")[0] ?? "");
    const used = useDashboard(() => startDashboardPool(accounts, CONFIG, pastTurns(aliases)));
    beforeAll(async () => {
      // The second account reaches its limit after two turns, and the session of the third turn moves on.
      await used.pool.run("account", "pin", aliases[1] ?? "");
      for (const session of [2, 1, 2])
        await createSseClient(used.pool.url(), `0199f0a2-7c1e-7d33-9f00-00000000000${session}`).turn("hello");
      await used.pool.run("account", "unpin");
      await used.pool.run("account", "drain", aliases[2] ?? "");
      // The pictures should show the figures of all accounts.
      await fetch(`${used.pool.url()}/status?refresh=1`);
    });

    for (const theme of ["dark", "light"] as const)
      test(`shows every view in ${theme}, accessible, at every width`, async () => {
        const context = await used.browser.newContext({ colorScheme: theme });
        const { page, problems } = await openPage(context, await used.pool.link());
        for (const view of VIEWS) {
          await page.getByRole("link", { name: view, exact: true }).click();
          await page.getByRole("heading", { name: view === "Activity" ? "Sessions" : view }).waitFor();
          await page.getByText("Loading").waitFor({ state: "detached" });
          expect([view, await violationsOn(page)]).toEqual([view, []]);
          for (const width of [360, 1280, 2560]) {
            await page.setViewportSize({ width, height: 900 });
            expect([view, width, await overflowOf(page)]).toEqual([view, width, 0]);
            await keepPicture(page, `${accounts.length}-${view}-${width}-${theme}`);
          }
        }
        expect(problems).toEqual([]);
        await context.close();
      });

    if (accounts === MANY)
      test("charts the seven accounts that used most, and the others together", async () => {
        const context = await used.browser.newContext();
        const { page } = await openPage(context, await used.pool.link());
        await page.getByRole("link", { name: "Usage", exact: true }).click();
        await page.getByRole("radio", { name: "90 days" }).check();
        await page.locator(".legend").getByText("other (53)", { exact: true }).waitFor();
        expect(await page.locator(".legend li").count()).toBe(8);
        await context.close();
      });

    test("loads less than 300 KB, from the proxy only", async () => {
      const context = await used.browser.newContext();
      const { requests } = await openPage(context, await used.pool.link());
      const sizes = await Promise.all(requests.map(({ bytes }) => bytes()));
      const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
      console.log(`the page: ${requests.length} requests, ${total} bytes`);
      expect(requests.map(({ url }) => new URL(url).origin)).toEqual(requests.map(() => used.pool.url()));
      expect(total).toBeLessThan(MOST_BYTES);
      await context.close();
    });

    test("shows the words and the figures of codexlb status", async () => {
      const context = await used.browser.newContext();
      const { page } = await openPage(context, await used.pool.link());
      const table = page.getByRole("table", { name: "Accounts" });
      expect(await table.getByRole("row").count()).toBe(accounts.length + 1);
      const rowOf = (index: number) => table.getByRole("row").filter({ hasText: aliases[index] ?? "" });
      expect(await rowOf(2).textContent()).toContain("draining (no new sessions)");
      expect(await rowOf(1).textContent()).toMatch(/limit reached, back at.*0%/);

      await page.keyboard.press("2");
      const switches = page.getByRole("table", { name: "Switches" });
      expect(await switches.textContent()).toContain(aliases[1] ?? "");
      expect(await page.getByRole("table", { name: "Sessions" }).textContent()).toContain("0199f0a2-7c1e");

      await page.keyboard.press("3");
      await page.getByText("The next turn goes to").waitFor();
      await page.getByLabel("Session").fill("0199f0a2-7c1e-7d33-9f00-000000000002");
      await page.getByText("the session is on").waitFor();

      await page.getByRole("link", { name: "Log" }).click();
      const events = page.getByRole("table", { name: "Events" });
      await events.getByText("started on").waitFor();
      await page.getByRole("combobox", { name: "Account" }).selectOption(aliases[2] ?? "");
      await events.getByText("draining (no new sessions)", { exact: true }).waitFor();
      expect(await events.getByText("started on").count()).toBe(0);
      await page.getByRole("combobox", { name: "Account" }).selectOption("");
      await page.getByLabel("Level").selectOption("debug");
      // The beginning of an id, as other views show it.
      await page.getByLabel("Session").fill("0199f0a2-7c1e");
      await page.getByText("request.completed").first().waitFor();
      expect(await events.getByText("started on").count()).toBe(0);
      await page.getByLabel("Text").fill("no event contains this");
      await page.getByText("No event matches.").waitFor();

      await page.getByRole("link", { name: "Settings" }).click();
      await page.getByRole("cell", { name: "policy.mode" }).waitFor();
      await page.getByRole("link", { name: "Proxies" }).click();
      await page.getByText(new RegExp(`started .+ ago, ${accounts.length} accounts`)).waitFor();
      await context.close();
    });
  });

/** Ninety days of turns, fewer of them at weekends, and the most by the first accounts. */
function pastTurns(aliases: readonly string[]): PastTurn[] {
  const now = Date.now();
  let seed = 1;
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const one = <Value>(values: readonly Value[]) => values[Math.floor(random() ** 2 * values.length)];
  return Array.from({ length: 90 }, (_, day) => now - (day + 0.1) * DAY_MS).flatMap((dayMs, day) =>
    Array.from({ length: new Date(dayMs).getDay() % 6 === 0 ? 4 : 24 }, (): PastTurn => {
      const input = Math.floor(random() * 100_000);
      return {
        startedMs: Math.floor(dayMs - random() * 0.4 * DAY_MS),
        accountAlias: one(aliases),
        session: `0199${(0xf0a2 - day).toString(16)}-7c1e-7d33-9f00-00000000000${Math.floor(random() * 5)}`,
        requestedModel: one(["gpt-6.2-sol", "gpt-6.2-astra", "gpt-6-luna"]),
        project: `/home/ann/src/${one(["shop", "billing", "search"])}`,
        outcome: random() < 0.03 ? "failed" : "completed",
        tokens: {
          input,
          cachedInput: Math.floor(input * 0.8),
          output: Math.floor(input / 40),
          reasoning: 200,
        },
        switches:
          random() < 0.01 ? [{ from: aliases[1] ?? "", to: aliases[0] ?? "", reason: "usage-limit" }] : [],
      };
    }),
  );
}
