// The keys of `codexlb status --watch` in real terminals, and the changes that they make.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { type ExecutablePool, startExecutablePool } from "../support/executable-pool.ts";
import { GIVEN_BACK, noPanes, type Pane } from "../support/tmux.ts";
import { openShell, picture, WATCH } from "./watching.ts";

const why = noPanes();
if (why !== undefined) console.log(`skipped: the keys of codexlb status --watch (${why})`);

describe.skipIf(why !== undefined)("status --watch", () => {
  let pool: ExecutablePool;
  beforeAll(async () => {
    pool = await startExecutablePool();
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  const watch = async (columns = 80): Promise<Pane> => {
    const pane = await openShell(pool, columns);
    pane.line(WATCH);
    await picture(pane);
    return pane;
  };
  const accountNow = async (alias: string) => {
    const { out } = await pool.tool.run(["status", "--json"]);
    return StatusAnswer.parse(JSON.parse(out)).accounts.find((account) => account.alias === alias);
  };
  /** The aliases in the order of their rows. */
  const rows = (lines: readonly string[]) =>
    lines.flatMap((line) => /^[* ][> ](alice|bob|carol) /.exec(line)?.[1] ?? []);
  const isSelected = (alias: string) => new RegExp(`^[* ]>${alias} `);
  /** Selects `alias` by a filter, which is kept. */
  const select = async (pane: Pane, alias: string) => {
    pane.press("/", ...alias, "Enter");
    await pane.shows(isSelected(alias));
    await pane.shows(`filter: ${alias}  1 of 3`);
  };

  test("arrows, letters, Home and End move the selection, and the list scrolls", async () => {
    using pane = await watch();
    const [first = "", second = "", last = ""] = rows(pane.screen());
    await pane.shows(isSelected(first));
    pane.press("Down");
    await pane.shows(isSelected(second));
    pane.press("j");
    await pane.shows(isSelected(last));
    pane.press("k", "Up", "Up");
    await pane.shows(isSelected(first));
    pane.press("End");
    await pane.shows(isSelected(last));
    pane.resize(80, 5);
    expect(rows(await pane.shows(/^2 above$/))).toEqual([last]);
    pane.press("Up");
    expect(rows(await pane.shows(/^1 above, and 1 more$/))).toEqual([second]);
    pane.press("Home");
    expect(rows(await pane.shows(/^and 2 more$/))).toEqual([first]);
    pane.press("PPage", "NPage");
    expect(rows(await pane.shows(/^1 above, and 1 more$/))).toEqual([second]);
    pane.resize(80, 1);
    await pane.shows((lines) => lines.length === 1 && lines[0] !== "");
    pane.resize(80, 24);
    await pane.shows(isSelected(second));
    expect(rows(pane.screen())).toEqual([first, second, last]);
  });

  test("s sorts, and the head names the order", async () => {
    using pane = await watch();
    const listed = rows(await pane.shows("not sorted"));
    pane.press("s");
    expect(rows(await pane.shows("sorted by quota left"))).toEqual(["alice", "bob", "carol"]);
    pane.press("s", "s");
    expect(rows(await pane.shows("sorted by name"))).toEqual(["alice", "bob", "carol"]);
    pane.press("s");
    expect(rows(await pane.shows("not sorted"))).toEqual(listed);
  });

  test("/ filters while it is typed, and Escape clears the filter", async () => {
    using pane = await watch();
    pane.press("/", "c", "a", "r");
    expect(rows(await pane.shows(/^filter: car_ +1 of 3/))).toEqual(["carol"]);
    pane.press("BSpace", "BSpace", "BSpace", ..."bob@");
    expect(rows(await pane.shows(/^filter: bob@_ +1 of 3/))).toEqual(["bob"]);
    pane.press("Enter");
    await pane.shows(/^filter: bob@ +1 of 3 +Esc clear$/);
    pane.press("Escape");
    await pane.shows((lines) => rows(lines).length === 3);
    // The selection stayed on bob.
    await pane.shows(isSelected("bob"));
  });

  test("Enter opens the account, and Escape and Enter go back", async () => {
    using pane = await watch();
    await select(pane, "carol");
    for (const back of ["Escape", "Enter"]) {
      pane.press("Enter");
      await pane.shows("carol@example.com");
      pane.resize(80, 4);
      await pane.shows(/lines 1-3 of \d+$/);
      pane.press("Down", "Down");
      await pane.shows(/lines 3-5 of \d+$/);
      pane.resize(80, 24);
      pane.press("Home", back);
      await pane.shows(/^ *pool .*%/);
    }
    pane.press("?");
    await pane.shows(/Ctrl-Z +suspend/);
    pane.press("?", "q");
    await pane.prompt();
    expect(pane.state()).toEqual(GIVEN_BACK);
  });

  test("p pins after y and not after n, and the history shows the switch", async () => {
    using pane = await watch();
    await select(pane, "alice");
    pane.press("p");
    await pane.shows(/^pin alice instead of bob: new turns go only to alice\. y\/n$/);
    pane.press("n");
    await pane.shows("nothing changed");
    expect((await accountNow("alice"))?.pinned).toBe(false);
    pane.press("p", "y");
    await pane.shows(/^pinned alice$/);
    await pane.shows(/^[* ]>alice +P /);
    expect((await accountNow("alice"))?.pinned).toBe(true);
    pane.press("h");
    await pane.shows("no recent switches");
    await createSseClient(pool.proxy().url, "s").turn("again");
    await pane.shows(/^ {2}\d\d:\d\d:\d\d +s +bob -> alice +alice is pinned$/);
    pane.press("p");
    await pane.shows(/^unpin alice: the policy chooses again\. y\/n$/);
    pane.press("y");
    await pane.shows(/^unpinned alice$/);
    expect((await accountNow("alice"))?.pinned).toBe(false);
    await pool.tool.run(["account", "pin", "bob"]);
    await pane.shows(/next bob \(pinned\)/);
  });

  test("d drains and ends the draining, and e disables and enables", async () => {
    using pane = await watch();
    await select(pane, "alice");
    pane.press("d");
    await pane.shows(/^drain alice: it keeps its sessions and gets no new ones\. y\/n$/);
    pane.press("y");
    await pane.shows(/>alice .*draining/);
    expect((await accountNow("alice"))?.draining).toBe(true);
    pane.press("d", "y");
    await pane.shows(/^ended the drain of alice$/);
    expect((await accountNow("alice"))?.draining).toBe(false);
    pane.press("e");
    await pane.shows(/^disable alice: /);
    pane.press("y");
    await pane.shows(/>alice .*disabled by you/);
    expect((await accountNow("alice"))?.enabled).toBe(false);
    pane.press("d");
    await pane.shows("alice is disabled; e enables it");
    pane.press("e", "y");
    await pane.shows(/^enabled alice$/);
    expect((await accountNow("alice"))?.enabled).toBe(true);
  });

  test("without the admin token, a change fails with the reason and the next step", async () => {
    using pane = await openShell(pool);
    const elsewhere = join(pool.tool.directory, "elsewhere");
    pane.line(`${WATCH} --root ${elsewhere} --proxy-url ${pool.proxy().url}`);
    await picture(pane);
    await select(pane, "alice");
    pane.press("d", "y");
    await pane.shows(/^! starting to drain alice: the admin API requires the admin token/);
    await pane.shows(/CODEXLB_ADMIN_TOKEN/);
    expect((await accountNow("alice"))?.draining).toBe(false);
  });
});
