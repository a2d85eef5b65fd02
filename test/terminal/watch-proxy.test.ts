// `codexlb status --watch` in a real terminal while its proxy comes and goes.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startExecutablePool } from "../support/executable-pool.ts";
import { GIVEN_BACK, noPanes } from "../support/tmux.ts";
import { openShell, picture, WATCH } from "./watching.ts";

const why = noPanes();
if (why !== undefined) console.log(`skipped: codexlb status --watch without a proxy (${why})`);

test.skipIf(why !== undefined)(
  "status --watch waits for the proxy, shows that it is away, and continues with the same selection",
  async () => {
    await using pool = await startExecutablePool();
    await pool.stopProxy();
    // The address in the settings, where no proxy listens.
    writeFileSync(join(pool.tool.root, "config.toml"), '[proxy]\nlisten = "127.0.0.1:1"\n');
    using pane = await openShell(pool);
    const before = await pane.modes();
    const code = pane.start(WATCH);
    const waiting = await pane.shows(/^waiting for the proxy at http:\/\/127\.0\.0\.1:1 \(since /);
    expect(waiting.join("\n")).toContain("connection refused");
    expect(waiting.join("\n")).toContain("start it with: codexlb proxy");
    pane.press("p", "Down", "Enter");
    await pane.shows("cannot open the account: the proxy does not answer");

    await pool.startProxy();
    await picture(pane);
    pane.press("/", ..."carol", "Enter");
    await pane.shows(/^[* ]>carol /);
    pane.press("Escape");
    await pane.shows(/^[* ] (?:alice|bob) /);

    await pool.stopProxy();
    const away = await pane.shows(/^! \d+s old: .*connection refused/);
    expect(away.some((line) => line.startsWith(" >carol "))).toBe(true);
    pane.press("e");
    await pane.shows("cannot change an account: the proxy does not answer");

    // Another proxy, on another port, and without alice.
    await pool.tool.run(["account", "rm", "alice"]);
    await pool.startProxy();
    const back = await pane.shows(
      (lines) => !lines.some((line) => line.startsWith("!") || line.includes("alice")),
    );
    expect(back.join("\n")).toContain(pool.proxy().url);
    expect(back.some((line) => line.startsWith(" >carol "))).toBe(true);
    pane.press("q");
    expect(await code()).toBe(0);
    expect(pane.state()).toEqual(GIVEN_BACK);
    expect(await pane.modes()).toBe(before);
  },
);
