// `codexlb account set` and `[accounts.ALIAS]` in config.toml: what they change, and where it is shown.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { runCli } from "../../support/cli.ts";
import { fakeClock } from "../../support/clock.ts";
import { startPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

for (const where of ["a running proxy", "the files"])
  test(`with ${where}, options are set, shown with their sources, overruled by config.toml, and removed`, async () => {
    const clock = fakeClock();
    await using pool = await startPool({ accounts: [{ alias: "Alice" }, { alias: "bob" }], clock });
    if (where === "the files") await pool.stopAndReadEvents();
    const { root, config, store } = pool.layout;
    const account = (...words: string[]) =>
      runCli(["account", ...words], { cwd: temp.path, env: { CODEXLB_ROOT: root } });
    const shown = async (alias: string) => JSON.parse((await account("show", "--json", alias)).out);

    expect(
      await account(
        ...["set", "Alice", "--priority", "10", "--floor-daily", "20%", "--floor-weekly=12.5"],
        ...["--tag", "Work", "--tag", "home,work", "--note", "the main one"],
      ),
    ).toEqual({
      code: 0,
      out: "account Alice: priority 10; keeps back the last 20 % of the 5h limit; keeps back the last 12.5 % of the Weekly limit; tags work, home; note: the main one\n",
      err: "",
    });
    const before = await shown("Alice");
    expect(before.status).toMatchObject({
      priority: 10,
      floor_daily_pct: 20,
      floor_weekly_pct: 12.5,
      tags: ["work", "home"],
      note: "the main one",
    });
    const ownSource = ["priority", "floor_daily", "floor_weekly", "tags", "note"].map((name) => ({
      name,
      source: "codexlb account set",
    }));
    expect(before.options).toEqual(ownSource);
    expect((await shown("bob")).options).toEqual([]);
    const listed = JSON.parse((await account("list", "--json")).out).accounts;
    expect(listed[0].codexlb.options).toMatchObject({ priority: 10, tags: ["work", "home"] });
    // The Go program reads every field outside of `codexlb`, and does not have these.
    const stored = JSON.parse(readFileSync(store, "utf8")).accounts[0];
    expect(stored.codexlb.options).toMatchObject({ priority: 10, floor_daily: 20 });
    expect(Object.keys(stored)).not.toContain("priority");

    writeFileSync(
      config,
      `${readFileSync(config, "utf8")}\n[accounts.alice]\npriority = -5\nfloor_weekly = "30%"\n`,
    );
    if (where === "a running proxy") clock.advance(1_100);
    const line = readFileSync(config, "utf8").split("\n").indexOf("priority = -5") + 1;
    const after = await shown("Alice");
    expect(after.status).toMatchObject({ priority: -5, floor_daily_pct: 20, floor_weekly_pct: 30 });
    expect(after.options.slice(0, 3)).toEqual([
      { name: "priority", source: `config.toml line ${line}` },
      { name: "floor_daily", source: "codexlb account set" },
      { name: "floor_weekly", source: `config.toml line ${line + 1}` },
    ]);
    expect((await account("show", "Alice")).out).toContain(`priority -5 (from config.toml line ${line})\n`);
    expect(await account("set", "Alice", "--priority", "3", "--note", "none")).toEqual({
      code: 0,
      out: "account Alice: priority 3; no note\n",
      err: "codexlb: warning: [accounts.Alice] in config.toml sets priority, and the file wins; change it there, or remove it from the file\n",
    });
    await account(
      "set",
      "Alice",
      "--floor-daily",
      "none",
      "--tag",
      "none",
      "--priority=none",
      "--floor-weekly=NONE",
    );
    expect((await shown("Alice")).options.map(({ name }: { name: string }) => name)).toEqual([
      "priority",
      "floor_weekly",
    ]);
    expect(JSON.parse(readFileSync(store, "utf8")).accounts[0].codexlb.options).toBeUndefined();
  });

for (const where of ["a running proxy", "the files"])
  test(`with ${where}, the concurrency limit is set, overruled by config.toml, and removed`, async () => {
    const clock = fakeClock();
    await using pool = await startPool({ accounts: [{ alias: "alice" }], clock });
    if (where === "the files") await pool.stopAndReadEvents();
    const { root, config } = pool.layout;
    const account = (...words: string[]) =>
      runCli(["account", ...words], { cwd: temp.path, env: { CODEXLB_ROOT: root } });
    const shown = async () => JSON.parse((await account("show", "--json", "alice")).out);

    expect((await account("set", "alice", "--concurrency", "3")).out).toBe(
      "account alice: serves at most 3 concurrent turns\n",
    );
    const set = await shown();
    expect(set.status.concurrency).toBe(3);
    expect(set.options).toEqual([{ name: "concurrency", source: "codexlb account set" }]);

    const before = readFileSync(config, "utf8");
    writeFileSync(config, `${before}\n[accounts.alice]\nconcurrency = 1\n`);
    if (where === "a running proxy") clock.advance(1_100);
    const line = readFileSync(config, "utf8").split("\n").indexOf("concurrency = 1") + 1;
    expect((await account("show", "alice")).out).toContain(
      `serves at most 1 concurrent turn (from config.toml line ${line})\n`,
    );

    writeFileSync(config, before);
    if (where === "a running proxy") clock.advance(1_100);
    expect((await account("set", "alice", "--concurrency", "none")).out).toBe(
      "account alice: no limit on concurrent turns\n",
    );
    expect((await shown()).options).toEqual([]);
  });

test("a floor of a whole window is set with a warning", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const env = { CODEXLB_ROOT: pool.layout.root };
  const set = (floor: string) =>
    runCli(["account", "set", "alice", "--floor-daily", floor], { cwd: temp.path, env });
  expect((await set("99%")).err).toBe("");
  const { code, err } = await set("100%");
  expect(code).toBe(0);
  expect(err).toBe(
    'codexlb: warning: with a floor of 100%, alice serves only if no other account can, and never if policy.spend_floors = "never"\n',
  );
});

test("a value that is not allowed is refused with the reason", async () => {
  const set = async (...words: string[]) =>
    (await runCli(["account", "set", "alice", ...words, "--root", temp.path], { cwd: temp.path })).err;
  expect(await set("--priority", "high")).toContain('flag --priority: "high" is not a whole number');
  expect(await set("--priority", "5000")).toContain(
    "flag --priority: must be a whole number from -1000 to 1000",
  );
  expect(await set("--floor-daily", "120%")).toContain(
    'flag --floor-daily: "120%" is not a percentage from 0 to 100',
  );
  expect(await set("--floor-weekly", "")).toContain('flag --floor-weekly: "" is not a percentage');
  expect(await set("--tag", "two words")).toContain('flag --tag: "two words" is not a tag');
  expect(await set("--tag", ",")).toContain("flag --tag: names no tag");
  expect(await set("--note", "a\nb")).toContain("flag --note: must be one line");
  for (const turns of ["0", "1001"])
    expect(await set("--concurrency", turns)).toContain(
      "flag --concurrency: must be a whole number from 1 to 1000",
    );
  expect(await set()).toContain("account set: nothing to set");
});

test("the admin API refuses a value that is not allowed", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const error = await pool.accounts.set("alice", { options: { floorDaily: 101 } }).catch(String);
  expect(error).toContain("floor_daily must be a percentage from 0 to 100");
});
