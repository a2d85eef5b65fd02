// The forecast on the dashboard in a real browser: what it says with and without history, and how it looks.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { HOUR_MS } from "../../src/core/forecast/meter-history.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { USUAL_SECONDS } from "../../src/core/windows.ts";
import { writeMeters } from "../../src/state/usage/meter-rows.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";
import { violationsOn } from "./axe.ts";
import {
  hasBrowser,
  keepPicture,
  openView,
  overflowOf,
  startDashboardPool,
  useDashboard,
} from "./open-dashboard.ts";

/** Points of the weekly window per hour of use: alice runs out in a few days, and carol does not. */
const RATES: Readonly<Record<string, number>> = { alice: 4, bob: 2.5, carol: 0.2 };

describe.skipIf(!hasBrowser())("the forecast on the dashboard", () => {
  const used = useDashboard(() => startDashboardPool(Object.keys(RATES).map((alias) => `${alias}:40`)));

  const status = async () => StatusAnswer.parse(await (await fetch(`${used.pool.url()}/status`)).json());
  const forecast = async () => {
    // The first forecast should know the figures.
    await fetch(`${used.pool.url()}/status?refresh=1`);
    while ((await status()).forecast === undefined);
    return status();
  };
  const open = async (colorScheme: "dark" | "light", width = 1280) => {
    const context = await used.browser.newContext({ colorScheme, viewport: { width, height: 900 } });
    const opened = await openView(context, used.pool, "Forecast");
    return { ...opened, [Symbol.asyncDispose]: () => context.close() };
  };

  test("says what is missing", async () => {
    await forecast();
    await using opened = await open("dark", 360);
    await opened.page.getByText("Too little is known about the use of the accounts").waitFor();
    expect(await violationsOn(opened.page)).toEqual([]);
    expect(await overflowOf(opened.page)).toBe(0);
  });

  test("says when limits are reached and how long the pool lasts, as codexlb status does", async () => {
    const before = await forecast();
    await used.pool.stopProxy();
    recordWeeks(used.pool.tool.root, before);
    await used.pool.startProxy();
    const { forecast: expected } = await forecast();
    expect(expected?.outcome).not.toBe("unknown");
    await using opened = await open("dark");
    const { page } = opened;
    await page
      .getByRole("region", { name: "Pool" })
      .getByText(/lasts until/)
      .waitFor();
    const rows = page.getByRole("table", { name: "Forecast" }).getByRole("row");
    expect(await rows.count()).toBe(7);
    // The first limit that is reached is the first row.
    expect(await rows.nth(1).textContent()).toMatch(/^aliceWeekly limit.*%\/day.*reached .*between/);
    expect(await rows.filter({ hasText: "carol" }).last().textContent()).toContain("until the reset");
    expect(opened.problems).toEqual([]);
  });

  for (const theme of ["dark", "light"] as const)
    test(`is accessible in ${theme} at every width`, async () => {
      await using opened = await open(theme);
      const { page } = opened;
      await page
        .getByText(/reached .*between/)
        .first()
        .waitFor();
      for (const width of [360, 1280, 3840]) {
        await page.setViewportSize({ width, height: 900 });
        expect([width, await overflowOf(page), await violationsOn(page)]).toEqual([width, 0, []]);
        await keepPicture(page, `forecast-${width}-${theme}`);
      }
    });
});

/** Writes two weeks of use during the day for the accounts in `status`. */
function recordWeeks(root: string, { accounts }: StatusAnswer): void {
  const now = Date.now();
  const database = openUsageFile(join(root, "usage.db"));
  const hours = Array.from({ length: 14 * 24 }, (_, index) => Math.floor(now / HOUR_MS) - index);
  const used = hours.filter((hour) => hour % 24 >= 8 && hour % 24 < 20);
  const changes = accounts.flatMap(({ identity, id, alias, plan_type: plan = "" }) =>
    (["short", "weekly"] as const).map((kind) => {
      const rate = (RATES[alias] ?? 0) * (kind === "short" ? 3 : 1);
      const history = {
        plan,
        sinceMs: now - 14 * 24 * HOUR_MS,
        usedPercent: 0,
        resetAtMs: now + USUAL_SECONDS[kind] * 1000,
        asOfMs: now - 1_000,
        lowerSinceMs: undefined,
        closedMs: undefined,
        points: new Map(used.map((hour) => [hour, rate])),
        closed: new Map<number, number>(),
      };
      return { key: { account: identity ?? id, kind, plan }, history, saved: undefined };
    }),
  );
  writeMeters(database, changes);
  database.close();
}
