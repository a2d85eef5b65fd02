// The dashboard in a real browser while things happen: turns, changes, restarts, and hostile text.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { violationsOn } from "./axe.ts";
import {
  hasBrowser,
  hide,
  openPage,
  overflowOf,
  startDashboardPool,
  useDashboard,
} from "./open-dashboard.ts";

/** Text that must stay text. */
const MARKUP = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
const ANSI = "\u001b[31mred\u001b[2J\u001b]0;owned\u0007";
const LONG = "long ".repeat(2_000);

/** A child proxy that reports hostile text in every field. */
function hostileChild() {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () =>
      Response.json({
        proxy_name: `child ${MARKUP}`,
        proxy_id: "c0ffee",
        accounts: [MARKUP, ANSI, LONG].map((text, index) => ({
          proxy_name: `child ${MARKUP}`,
          proxy_id: "c0ffee",
          alias: `remote-${index} ${text}`,
          id: `remote-${index}`,
          email: text,
          active: false,
          pinned: false,
          healthy: true,
          enabled: index > 0,
          disabled_reason: index > 0 ? "" : text,
          cooldown_seconds: 0,
          daily_left_pct: 50,
          weekly_left_pct: 50,
          daily_reset_at: 0,
          weekly_reset_at: 0,
          plan_type: text,
          score: 0.5,
        })),
        selection_reason: MARKUP,
        child_proxies: [],
      }),
  });
}

describe.skipIf(!hasBrowser())("the dashboard", () => {
  const child = hostileChild();
  let context: BrowserContext;
  const used = useDashboard(() => {
    const config = [
      "[proxy]",
      `name = ${JSON.stringify(`edge ${MARKUP}`)}`,
      `child_proxy_urls = ["http://:clb_secret-of-the-child@127.0.0.1:${child.port}"]`,
      "[policy]",
      'mode = "sticky"',
    ].join("\n");
    return startDashboardPool(["alice:40", "bob:40"], config);
  });
  beforeAll(async () => {
    context = await used.browser.newContext({ viewport: { width: 1280, height: 900 } });
  });
  beforeEach(async () => {
    for (const page of context.pages()) await page.close();
  });
  afterAll(() => child.stop(true));

  const rowOf = (page: Page, alias: string) =>
    page.getByRole("table", { name: "Accounts", exact: true }).getByRole("row").filter({ hasText: alias });
  const turn = (session: string) => createSseClient(used.pool.url(), session).turn("hello");
  const addFaults = (faults: unknown) =>
    fetch(`${used.pool.backend}/__mock/faults`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(faults),
    });

  test("shows a switch as it happens", async () => {
    const { page } = await openPage(context, await used.pool.link());
    await turn("s-1");
    await rowOf(page, "alice").getByText("served last").waitFor();
    await addFaults([{ on: "turn", account: "alice", times: 1, answer: { status: 503, body: {} } }]);
    await turn("s-2");
    const beganMs = performance.now();
    await rowOf(page, "bob").getByText("served last").waitFor();
    console.log(`a switch is on the page after ${Math.round(performance.now() - beganMs)} ms`);
    await page.keyboard.press("2");
    await page.getByRole("table", { name: "Switches" }).getByText("backend error 503").waitFor();
  });

  test("shows the options of an account, where they are set, and why it is passed over", async () => {
    const { page, problems } = await openPage(context, await used.pool.link());
    await used.pool.run(
      "account",
      "set",
      "bob",
      "--priority",
      "-1",
      "--floor-weekly",
      "20%",
      "--tag",
      "work",
    );
    await used.pool.run("account", "set", "bob", "--note", MARKUP);
    const row = rowOf(page, "bob");
    await row.getByText("passed over: priority -1: alice has 0", { exact: true }).waitFor();
    await row.getByText("priority -1 · keeps back weekly 20 % · tags work").click();
    await row.getByText("keeps back the last 20 % of the Weekly limit (from codexlb account set)").waitFor();
    expect(await page.locator("img").count()).toBe(0);
    expect(await violationsOn(page)).toEqual([]);
    await page.keyboard.press("3");
    await page.getByText("The next turn goes to alice").waitFor();
    await page.getByRole("combobox", { name: "Tags" }).fill("work");
    await page.getByText("The next turn goes to bob").waitFor();
    await page.getByRole("combobox", { name: "Tags" }).fill("home");
    await page.getByRole("checkbox", { name: "Only accounts with a tag" }).check();
    await page.getByText("No account is available").waitFor();
    expect(await violationsOn(page)).toEqual([]);
    for (const option of ["priority", "floor-weekly", "tag", "note"])
      await used.pool.run("account", "set", "bob", `--${option}`, "none");
    expect(problems).toEqual([]);
  });

  test("filters requests, switches and sessions by account", async () => {
    const { page } = await openPage(context, await used.pool.link());
    await page.keyboard.press("2");
    const sessions = page.getByRole("table", { name: "Sessions" });
    await sessions.getByText("s-1").waitFor();
    await page.getByRole("combobox", { name: "Account" }).selectOption("bob");
    await sessions.getByText("s-2").waitFor();
    await sessions.getByText("s-1").waitFor({ state: "detached" });
    await page.getByRole("table", { name: "Switches" }).getByText("backend error 503").waitFor();
    await page.getByText("No request of bob is in flight.").waitFor();
  });

  test("shows requests in flight", async () => {
    const { page } = await openPage(context, await used.pool.link());
    await addFaults([{ on: "turn", times: 1, gateAfter: 1 }]);
    const waiting = turn("s-live");
    await page.keyboard.press("2");
    await page.getByRole("table", { name: "Requests in flight" }).getByText("s-live").waitFor();
    await fetch(`${used.pool.backend}/__mock/release`, { method: "POST" });
    await waiting;
    await page.getByText("No request is in flight.").waitFor();
  });

  test("changes accounts after a confirmation that shows the command", async () => {
    const { page, problems } = await openPage(context, await used.pool.link());
    expect(await page.getByRole("button", { name: "Pin alice" }).count()).toBe(0);
    await page.getByLabel("Allow changes").check();
    // Accounts of other proxies are changed there.
    expect(await page.getByRole("button", { name: /^Pin remote/ }).count()).toBe(0);
    const state = async () => {
      const { accounts } = JSON.parse(await used.pool.run("status", "--json")) as {
        accounts: { alias: string; pinned: boolean; draining?: boolean; enabled: boolean }[];
      };
      return accounts.find(({ alias }) => alias === "alice");
    };

    await page.getByRole("button", { name: "Pin alice" }).click();
    await page.getByRole("dialog").getByText("codexlb account pin alice").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect((await state())?.pinned).toBe(false);

    for (const [action, shown, isDone] of [
      ["Pin", "pinned", async () => (await state())?.pinned === true],
      ["Unpin", undefined, async () => (await state())?.pinned === false],
      ["Drain", "draining (no new sessions)", async () => (await state())?.draining === true],
      ["Enable", "ready", async () => (await state())?.draining !== true],
      ["Disable", "disabled by you", async () => (await state())?.enabled === false],
      ["Enable", "ready", async () => (await state())?.enabled === true],
    ] as const) {
      await page.getByRole("button", { name: `${action} alice` }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText(`codexlb account ${action.toLowerCase()}`).waitFor();
      await dialog.getByRole("button", { name: action, exact: true }).click();
      await dialog.waitFor({ state: "detached" });
      await until(`${action} is done`, isDone);
      if (shown !== undefined) await rowOf(page, "alice").getByText(shown, { exact: true }).waitFor();
    }
    expect(problems).toEqual([]);
  });

  test("closes its stream while it is hidden, and then continues", async () => {
    const { page, requests } = await openPage(context, await used.pool.link());
    const streams = () => requests.filter(({ url }) => url.includes("/_/events"));
    expect(streams().length).toBe(1);
    await hide(page, true);
    await used.pool.run("account", "drain", "bob");
    expect(await rowOf(page, "bob").textContent()).not.toContain("draining");
    await hide(page, false);
    await rowOf(page, "bob").getByText("draining").waitFor();
    expect(streams().length).toBe(2);
    expect(streams()[1]?.url).toMatch(/since=\d+$/);
    await used.pool.run("account", "enable", "bob");
  });

  test("shows text of others as text", async () => {
    await turn(`session ${MARKUP}`);
    await addFaults([
      { on: "turn", times: 1, answer: { status: 503, body: { error: { message: `${MARKUP} ${LONG}` } } } },
    ]);
    await turn("s-3");
    const { page, problems } = await openPage(context, await used.pool.link());
    expect(await page.title()).toContain("<img src=x");
    for (const key of ["1", "2", "3", "4", "5", "6", "7", "8"]) {
      await page.keyboard.press(key);
      if (key === "6") await page.getByLabel("Level").selectOption("debug");
      await page.getByText("Loading").waitFor({ state: "detached" });
      expect([key, await page.locator("img, script:not([src])").count()]).toEqual([key, 0]);
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 900 });
        expect([key, width, await overflowOf(page)]).toEqual([key, width, 0]);
      }
      expect(await page.locator("main").textContent()).not.toContain("\u001b");
    }
    await page.keyboard.press("8");
    await page.getByRole("cell", { name: "proxy.child_proxy_urls" }).waitFor();
    expect(await page.locator("main").textContent()).not.toContain("clb_secret-of-the-child");
    expect(problems).toEqual([]);
  });

  test("cannot be opened without a link, or with one that was used", async () => {
    const stranger = await used.browser.newContext();
    const page = await stranger.newPage();
    await page.goto(`${used.pool.url()}/_/`);
    await page.getByRole("alert").getByText("codexlb dashboard").waitFor();
    const link = await used.pool.link();
    await openPage(context, link);
    await page.goto(link);
    await page.getByText("This link was used before, or is older than a minute.").waitFor();
    expect(await page.locator("main").textContent()).toBe("");
    expect(await page.evaluate("location.hash")).toBe("");
    await stranger.close();
  });

  test("cannot be framed by another page", async () => {
    const { page } = await openPage(context, await used.pool.link());
    using evil = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response(`<iframe src="${used.pool.url()}/_/"></iframe>`, {
          headers: { "content-type": "text/html" },
        }),
    });
    const frame = page.waitForResponse((response) => response.url() === `${used.pool.url()}/_/`);
    await page.goto(`http://127.0.0.1:${evil.port}/`);
    expect((await frame).status()).toBe(403);
  });

  test("changes nothing in an open dialog while the proxy does not answer", async () => {
    const { page } = await openPage(context, await used.pool.link());
    await page.getByLabel("Allow changes").check();
    await page.getByRole("button", { name: "Drain bob" }).click();
    const dialog = page.getByRole("dialog");
    const confirm = dialog.getByRole("button", { name: "Drain", exact: true });
    expect(await confirm.isEnabled()).toBe(true);
    await used.pool.stopProxy();
    await dialog.getByRole("alert").getByText("The proxy does not answer.").waitFor();
    expect(await confirm.isDisabled()).toBe(true);
    await used.pool.startProxy();
    await dialog.getByRole("alert").getByText("The session has ended").waitFor();
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
  });

  test("reports a restart of the proxy, and continues with a new link", async () => {
    const { page } = await openPage(context, await used.pool.link());
    await used.pool.restartProxy();
    await page.getByRole("alert").getByText("The session has ended, because the proxy restarted").waitFor();
    await page.getByRole("alert").getByText("codexlb dashboard").waitFor();
    await page.goto(await used.pool.link());
    await page.getByText("live", { exact: true }).waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    await rowOf(page, "alice").waitFor();
  });
});
