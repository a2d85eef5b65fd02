// The dashboard of a replica: the other replicas, their turns and their switches.

import { expect, test } from "bun:test";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";
import { violationsOn } from "./axe.ts";
import { hasBrowser, launchBrowser, openPage } from "./open-dashboard.ts";

const EXCHANGED_MS = 60_000;

const statusOf = async ({ url }: Replica) => StatusAnswer.parse(await (await fetch(`${url}/status`)).json());

test.skipIf(whyNoRedis !== undefined || !hasBrowser())(
  "the dashboard of a replica shows all replicas, what each served, and where a turn moved",
  async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"], count: 2 });
    const [a, b] = pool.list as [Replica, Replica];
    const { proxy_name: name } = await statusOf(a);
    const { proxy_name: other } = await statusOf(b);
    const client = createSseClient(a.url, crypto.randomUUID());
    const pinned = (await client.turn("hello")).endsWith("alice") ? "bob" : "alice";
    await done(a.run("account", "pin", pinned));
    expect(await client.turn("hello again")).toBe(`Hello from ${pinned}`);
    await until(
      "the other replica knows the switch and its replicas",
      async () => {
        const { switches = [], cluster } = await statusOf(b);
        return switches.length > 0 && cluster?.replicas?.length === 2;
      },
      EXCHANGED_MS,
    );
    const browser = await launchBrowser();
    try {
      const context = await browser.newContext();
      const link = (await done(b.run("dashboard", "--print"))).out.trim();
      const { page, problems } = await openPage(context, link);
      const open = (view: string) => page.getByRole("link", { name: view, exact: true }).click();
      const rowsOf = (table: string) =>
        page.getByRole("table", { name: table }).getByRole("row").allInnerTexts();
      await open("Proxies");
      await page.getByRole("table", { name: "Replicas" }).waitFor();
      const [, own = "", further = ""] = await rowsOf("Replicas");
      expect(own).toMatch(new RegExp(`${other}\\s.*connected, this replica`, "s"));
      expect(further).toMatch(new RegExp(`${name}\\s.*connected`, "s"));
      expect(await violationsOn(page)).toEqual([]);
      await open("Activity");
      await page.getByRole("table", { name: "Switches" }).waitFor();
      expect((await rowsOf("Switches")).join()).toContain(`${pinned} is pinned (on ${name})`);
      await open("Usage");
      await page.getByRole("combobox", { name: "By", exact: true }).selectOption("proxy");
      await page.getByRole("table", { name: "Proxies" }).waitFor();
      expect((await rowsOf("Proxies")).join()).toMatch(new RegExp(`${name}\\s+2\\s`));
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  },
  120_000,
);
