// `codexlb account import` of several logins: from the files of other programs, and from directories.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cliProxyApiFile, codexFile, multiAuthFile, opencodeFile } from "../../auth/import/login-files.ts";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let root: string;
let runs = 0;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());
beforeEach(() => {
  root = join(temp.path, `root-${++runs}`);
});

function write(path: string, content: unknown): string {
  const full = join(temp.path, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, JSON.stringify(content));
  return full;
}

const account = (...words: string[]) => runCli(["account", ...words, "--root", root], { cwd: temp.path });
const add = (...words: string[]) => account("import", ...words);
const aliases = async () =>
  (await account("list")).out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t")[0]);
const EXPIRED_S = 1_700_000_000;

describe("importing the directory of another program", () => {
  test("takes every usable login, and says why it skips the others", async () => {
    write("cpa/codex-alice@example.com.json", cliProxyApiFile("alice"));
    write("cpa/codex-bob@example.com.json", { ...cliProxyApiFile("bob"), refresh_token: "" });
    write("cpa/codex-carol@example.com.json", { ...cliProxyApiFile("carol", EXPIRED_S), refresh_token: "" });
    write("cpa/codex-dave@example.com.json", cliProxyApiFile("dave", EXPIRED_S));
    write("cpa/claude-erin@example.com.json", { ...cliProxyApiFile("erin"), type: "claude" });
    write("cpa/other.json", { a: 1 });
    const ran = await add("--from", "cpa");
    expect(ran.code).toBe(0);
    expect(ran.out).toMatchSnapshot();
    expect(ran.err).toContain(
      "codexlb: stop using these logins in CLIProxyAPI: a login must be in one place, because each token refresh of one copy invalidates the other\n",
    );
    expect(await aliases()).toEqual(["alice", "dave"]);
    // No output contains a token.
    expect(ran.out + ran.err).not.toMatch(/rt-|eyJ/);
    const again = await add("--from", "cpa");
    expect(again.code).toBe(1);
    expect(again.out).toContain("0 imported, 2 enrolled already, 4 skipped (total=2)\n");
    expect(again.err).toContain(
      "cpa contains no new login: 2 of 6 are enrolled already, and the others cannot be used\n",
    );
    expect(again.err).not.toContain("log in with");
  });

  test("with all logins enrolled already succeeds", async () => {
    write("multi/openai-codex-accounts.json", multiAuthFile(["frank", "grace"]));
    expect((await add("./multi")).out).toEndWith("2 imported (total=2)\n");
    const again = await add("./multi");
    expect(again).toMatchObject({ code: 0, err: "" });
    expect(again.out).toEndWith("0 imported, 2 enrolled already (total=2)\n");
  });

  test("without a usable login fails", async () => {
    write("key/auth.json", { openai: { type: "api", key: "sk-secret" } });
    const ran = await add("./key");
    expect(ran.code).toBe(1);
    expect(ran.out).toContain("skipped: an OpenAI API key, not a ChatGPT login\n");
    expect(ran.err).toContain("key contains no login that could be imported\n");
    expect(ran.out + ran.err).not.toContain("sk-secret");
  });

  test("does not overwrite a newer login", async () => {
    const path = write("opencode/auth.json", opencodeFile("heidi"));
    await add(path, "home");
    const stored = join(root, "accounts", "home", "auth.json");
    const renewed = readFileSync(stored, "utf8").replace(
      /"last_refresh": "[^"]*"/,
      '"last_refresh": "2099-01-01T00:00:00Z"',
    );
    writeFileSync(stored, renewed);
    const again = await add("./opencode");
    expect(again.code).toBe(0);
    expect(again.out).toContain("enrolled already: the enrolled login of home is newer");
    expect(readFileSync(stored, "utf8")).toBe(renewed);
  });

  test("takes the newest of several copies of a login", async () => {
    write("copies/old.json", { ...codexFile("ivan"), last_refresh: "2026-01-01T00:00:00Z" });
    write("copies/new.json", { ...codexFile("ivan"), last_refresh: "2026-02-01T00:00:00Z" });
    const ran = await add("./copies");
    expect(ran.code).toBe(0);
    expect(ran.out).toContain(`enrolled already: ${join(temp.path, "copies", "new.json")} has a newer copy`);
    expect(readFileSync(join(root, "accounts", "ivan", "auth.json"), "utf8")).toContain("2026-02-01");
  });
});

test("identical copies are named as such, and a dry run does not call them enrolled", async () => {
  write("equal/auth1.json", codexFile("wendy"));
  write("equal/auth2.json", codexFile("wendy"));
  const first = join(temp.path, "equal", "auth1.json");
  const dry = await add("--dry-run", "./equal");
  expect(dry.out).toContain(`would be skipped: ${first} has the same login\n`);
  expect(dry.out).toEndWith("1 to import, 1 to skip (total=0)\n");
  const ran = await add("./equal");
  expect(ran.out).toContain(`enrolled already: ${first} has the same login\n`);
});

test("a file that is not JSON is named as such, in a directory and alone", async () => {
  write("broken/good.json", codexFile("xavier"));
  writeFileSync(join(temp.path, "broken", "bad.json"), "{");
  expect((await add("./broken")).out).toMatch(/bad\.json +skipped: is not JSON$/m);
  expect((await add("./broken/bad.json")).err).toContain("bad.json: it is not JSON\n");
});

test("a Codex home with other logins names those that are not read", async () => {
  write("own/auth.json", codexFile("yves"));
  write("own/second.json", codexFile("zoe"));
  write("own/settings.json", { a: 1 });
  const ran = await add("./own");
  expect(ran.out).toBe("imported account yves (total=1)\n");
  expect(ran.err).toContain(
    `codexlb: only ${join(temp.path, "own", "auth.json")} is read; other logins there: second.json (to import one, run: codexlb account import --root ${root} --from ${join(temp.path, "own", "second.json")})\n`,
  );
});

test("the table on a narrow terminal names the files", async () => {
  write("narrow/a/auth.json", codexFile("abe"));
  write("narrow/b/auth.json", codexFile("ben"));
  const args = ["account", "import", "--root", root, "--dry-run", "./narrow"];
  const ran = await runCli(args, { cwd: temp.path, terminal: 80 });
  expect(ran.out).toContain("a/auth.json");
});

test("--dry-run changes nothing, and gives the aliases that an import would give", async () => {
  write("same/a/auth.json", codexFile("judy"));
  const other = codexFile("judy");
  write("same/b/auth.json", { ...other, tokens: { ...other.tokens, account_id: "acc-other" } });
  const dry = await add("--dry-run", "./same");
  expect(dry).toMatchObject({ code: 0, err: "" });
  expect(dry.out).toMatch(
    /^judy .* would be imported\njudy-2 .* would be imported\n2 to import \(total=0\)$/m,
  );
  expect(existsSync(root)).toBe(false);
  await add("./same");
  expect(await aliases()).toEqual(["judy", "judy-2"]);
});

test("--json lists every login, also the only one of a Codex home", async () => {
  write("mallory/auth.json", codexFile("mallory"));
  const ran = await add("--json", "./mallory");
  expect(JSON.parse(ran.out)).toEqual({
    dry_run: false,
    logins: [
      {
        file: join(temp.path, "mallory", "auth.json"),
        program: "Codex",
        alias: "mallory",
        email: "mallory@example.com",
        workspace: "acc-mallory",
        plan: "plus",
        result: "imported",
      },
    ],
    total: 1,
  });
});

test("a name that can be an alias or a path here is refused", async () => {
  write("many/auth.json", codexFile("victor"));
  const home = join(temp.path, "home", ".codex");
  const ran = await add("many");
  expect(ran).toMatchObject({ code: 2, out: "" });
  expect(ran.err).toBe(
    `codexlb: account import: "many" is a directory here, and could also be an alias\n` +
      `  to import from it, run: codexlb account import --root ${root} --from many (or write ./many); to use the name as an alias, run: codexlb account import --root ${root} --from ${home} many\n`,
  );
  expect(existsSync(root)).toBe(false);
  expect((await add("--from", "many", "many")).out).toBe("imported account many (total=1)\n");
});

test("an alias names a single login only", async () => {
  write("two/openai-codex-accounts.json", multiAuthFile(["niaj", "olivia"]));
  const ran = await add("./two", "work");
  expect(ran.code).toBe(2);
  expect(ran.err).toContain("two contains 2 logins, so the alias work cannot name them\n");
  expect(existsSync(root)).toBe(false);
  write("one/openai-codex-accounts.json", multiAuthFile(["niaj"]));
  expect((await add("./one", "work")).code).toBe(0);
  expect(await aliases()).toEqual(["work"]);
  const other = await add("./one", "other");
  expect(other).toMatchObject({ code: 1, out: "" });
  expect(other.err).toContain("codexlb: this login is already enrolled, as work\n");
});

test("a login that another alias has updates that one", async () => {
  write("peggy/auth.json", codexFile("peggy"));
  await add("./peggy", "main");
  write("peers/codex-peggy@example.com.json", {
    ...cliProxyApiFile("peggy"),
    last_refresh: "2026-03-01T00:00:00Z",
  });
  const ran = await add("./peers");
  expect(ran.out).toMatch(/^main .* updated$/m);
  expect(await aliases()).toEqual(["main"]);
});

test("the accounts of another root keep their aliases and settings", async () => {
  write("old/accounts/Work/auth.json", codexFile("sybil"));
  writeFileSync(join(temp.path, "old/accounts/Work/config.toml"), 'model = "x"\n');
  write("old/accounts/home/auth.json", codexFile("trent"));
  expect((await add("./old")).code).toBe(0);
  expect(await aliases()).toEqual(["Work", "home"]);
  expect(readFileSync(join(root, "accounts", "Work", "config.toml"), "utf8")).toBe('model = "x"\n');
});

test("an encrypted bundle needs its passphrase", async () => {
  const bundle = join(temp.path, "bundle.json");
  copyFileSync(join(import.meta.dir, "..", "..", "auth", "import", "codex-lb-bundle.json"), bundle);
  const ran = await add("--from", bundle);
  expect(ran.code).toBe(1);
  expect(ran.out).toContain("it is encrypted: add --passphrase-stdin");
  const child = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, "../../../src/main.ts"),
      "account",
      "import",
      "--root",
      root,
      "--passphrase-stdin",
      bundle,
    ],
    {
      cwd: temp.path,
      env: { HOME: temp.path, PATH: "" },
      stdin: Buffer.from("correct horse\n"),
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  expect(await child.stdout.text()).toEndWith("2 imported (total=2)\n");
  expect(await child.exited).toBe(0);
});
