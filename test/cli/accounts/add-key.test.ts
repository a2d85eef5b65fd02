// `codexlb account add-key`: which key an account has afterwards, and where that key goes.

import { expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountCommands } from "../../support/account-commands.ts";
import { runCli } from "../../support/cli.ts";

const { url: URL, directory, account, addKey, add, codexHome } = accountCommands();

test("a replaced key keeps the base URL, and the message says whether the key differs", async () => {
  expect((await add("sk-one", "openai")).code).toBe(0);
  expect(await addKey("sk-one", "openai")).toMatchObject({
    code: 0,
    out: `account openai already has this API key, for ${URL}\n`,
  });
  expect((await addKey("sk-two", "openai")).out).toBe(
    `account openai now uses another API key, for ${URL}\n`,
  );
  expect((await account(["show", "openai"])).out).toContain(`for ${URL}\n`);
  expect((await addKey("sk-two", "openai", "--base-url", "https://api.openai.com/v1/")).out).toBe(
    `account openai now uses this API key, for https://api.openai.com/v1 (before: ${URL})\n`,
  );
});

test("a key that another account has is refused, by add-key and by import, even with --replace", async () => {
  await add("sk-one", "openai");
  const second = await add("sk-one", "again");
  expect(second).toMatchObject({ code: 1, out: "" });
  expect(second.err).toContain("codexlb: this API key is already enrolled, as openai\n");
  expect(second.err).toContain("account rm --root");
  expect((await account(["export", "openai", "--to", "copy.json"])).code).toBe(0);
  const imported = await account(["import", "--from", "copy.json", "--replace", "third"]);
  expect(imported.err).toContain("this API key is already enrolled, as openai\n");
  await add("sk-two", "other");
  expect((await addKey("sk-one", "other", "--replace")).err).toContain("already enrolled, as openai\n");
});

test("an exported key has the monthly cap of its account, and an import sets it", async () => {
  await add("sk-one", "openai");
  await account(["export", "openai", "--to", "copy.json"]);
  expect((await account(["rm", "openai"])).code).toBe(0);
  expect(await account(["import", "--from", "copy.json", "openai"])).toEqual({
    code: 0,
    out: "imported account openai (total=1)\n",
    err: "codexlb: account openai spends at most 20.00 USD a month, as before the export\n",
  });
  expect((await account(["show", "openai"])).out).toContain("0.00 of 20.00 USD spent");
  expect(readFileSync(join(directory(), "root", "accounts", "openai", "auth.json"), "utf8")).not.toContain(
    "cap",
  );
  await account(["set", "openai", "--monthly-cap", "30usd"]);
  expect((await account(["import", "--from", "copy.json", "openai"])).err).toBe("");
  expect((await account(["show", "openai"])).out).toContain("0.00 of 30.00 USD spent");
});

test("an imported key without a cap is reported, without words about logins", async () => {
  await add("sk-one", "openai");
  const file = join(directory(), "root", "accounts", "openai", "auth.json");
  writeFileSync(join(directory(), "copy.json"), readFileSync(file));
  await account(["rm", "openai"]);
  const root = join(directory(), "root");
  const warning = `codexlb: warning: account openai has no monthly cap, so it serves no turns; set one with: codexlb account set --root ${root} openai --monthly-cap 20usd\n`;
  expect((await account(["import", "--from", "copy.json", "openai"])).err).toBe(warning);
  await account(["rm", "openai"]);
  writeFileSync(join(root, "config.toml"), "[accounts.openai]\nmonthly_cap = 5\n");
  expect((await account(["import", "--from", "copy.json", "openai"])).err).toBe("");
  await account(["rm", "openai"]);
  rmSync(join(root, "config.toml"));
  const many = await account(["import", "--json", "--from", "copy.json", "openai"]);
  expect(JSON.parse(many.out).logins[0]).toMatchObject({ alias: "openai", api_url: URL });
  expect(many.err).toBe(warning);
});

test("floors of a key and the cap of a ChatGPT account are refused with the reason", async () => {
  await add("sk-one", "openai");
  await account(["import", "--from", codexHome("alice"), "alice"]);
  for (const flag of ["floor-daily", "floor-weekly"]) {
    const refused = await account(["set", "openai", `--${flag}`, "10%"]);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(
      `codexlb: setting ${flag} of openai: it has an API key, which has no quota that a floor could keep back\n`,
    );
    expect((await account(["set", "openai", `--${flag}`, "none"])).code).toBe(0);
  }
  const cap = await account(["set", "alice", "--monthly-cap", "20usd"]);
  expect(cap.err).toContain("codexlb: setting monthly-cap of alice: it has no API key\n");
  const config = join(directory(), "root", "config.toml");
  writeFileSync(config, "[accounts.alice]\nmonthly_cap = 5\n");
  expect(
    await runCli(["config", "check", "--root", join(directory(), "root")], { cwd: directory() }),
  ).toMatchObject({
    code: 0,
    out: `${config}: monthly_cap of [accounts.alice] has no effect on that account: it has no API key\n${config} is valid\n`,
  });
});

test("what a key has spent this month counts after the account was removed and the key added again", async () => {
  await add("sk-one", "openai");
  const path = join(directory(), "root", "store.json");
  const store = JSON.parse(readFileSync(path, "utf8"));
  const month = new Date().toISOString().slice(0, 7);
  store.accounts[0].codexlb.api = { base_url: URL, month, spent_usd: 12.5 };
  writeFileSync(path, JSON.stringify(store));
  expect((await account(["rm", "openai"])).code).toBe(0);
  expect(readFileSync(path, "utf8")).not.toContain("sk-one");
  await add("sk-two", "other");
  expect((await account(["show", "other"])).out).toContain("0.00 of 20.00 USD spent");
  await add("sk-one", "openai");
  expect((await account(["show", "openai"])).out).toContain("12.50 of 20.00 USD spent");
});
