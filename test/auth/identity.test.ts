import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AUTH_CLAIM } from "../../src/auth/claims.ts";
import { type Identity, personName, twinProblems, workspacesToShow } from "../../src/auth/identity.ts";
import { runCli } from "../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const me = (alias: string, accountId: string | undefined, planType?: string): Identity => ({
  alias,
  email: "me@example.com",
  accountId,
  userId: "user-1",
  planType,
});
const HOME = me("home", "1a2b3c4d-0000-4000-8000-000000000001", "plus");
const WORK = me("work", "99990000-0000-4000-8000-000000000002", "team");
const OTHER: Identity = { ...me("other", "55550000-1", "plus"), email: "you@example.com", userId: "user-2" };

describe("the name of a login", () => {
  test("is the e-mail address if no other workspace has it", () => {
    expect(personName(HOME, [HOME, { ...WORK, email: "you@example.com" }])).toBe("me@example.com");
    expect(personName({ ...HOME, email: undefined }, [WORK])).toBe(HOME.accountId);
  });

  test("adds plan and workspace where another workspace has the same address", () => {
    expect(personName(HOME, [WORK])).toBe("me@example.com (plus, workspace 1a2b3c4d)");
    expect(personName(WORK, [{ ...HOME, email: "Me@Example.com" }])).toBe(
      "me@example.com (team, workspace 99990000)",
    );
    expect(personName(me("x", undefined), [WORK])).toBe("me@example.com (unknown workspace)");
    // The shortest prefixes that differ.
    expect(personName(me("x", "account-alpha"), [me("y", "account-beta")])).toBe(
      "me@example.com (workspace account-a)",
    );
  });

  test("shows the workspace in a list only where two entries share an address across workspaces", () => {
    const you = { ...me("you", "77770000-1"), email: "you@example.com" };
    expect([...workspacesToShow([HOME, you, { ...HOME, alias: "again" }])]).toEqual([]);
    expect([
      ...workspacesToShow([HOME, you, { ...WORK, email: "ME@example.com" }, me("x", undefined)]),
    ]).toEqual([
      ["home", "1a2b3c4d"],
      ["work", "99990000"],
      ["x", "unknown"],
    ]);
  });

  test("appears in the report of two aliases for one login", () => {
    expect(twinProblems([HOME, { ...HOME, alias: "again" }, WORK])).toEqual([
      "home and again are the same ChatGPT account (me@example.com (plus, workspace 1a2b3c4d)): keep only one, because each token refresh invalidates the other login",
    ]);
  });
});

describe("two workspaces of one e-mail address", () => {
  let temp: TempDirectory;
  beforeAll(() => {
    temp = tempDirectory();
    for (const { alias, email, accountId, userId, planType } of [HOME, WORK, OTHER]) {
      const claims = {
        email,
        exp: 4_102_444_800,
        [AUTH_CLAIM]: {
          chatgpt_account_id: accountId,
          chatgpt_plan_type: planType,
          chatgpt_user_id: userId,
        },
      };
      const token = `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;
      mkdirSync(join(temp.path, alias));
      writeFileSync(
        join(temp.path, alias, "auth.json"),
        JSON.stringify({
          tokens: { access_token: token, id_token: token, refresh_token: alias, account_id: accountId },
        }),
      );
    }
  });
  afterAll(() => temp[Symbol.dispose]());

  const codexlb = (...args: string[]) =>
    runCli(args, { cwd: temp.path, env: { CODEXLB_ROOT: join(temp.path, "root") } });
  const NAMES = {
    home: "me@example.com (plus, workspace 1a2b3c4d)",
    work: "me@example.com (team, workspace 99990000)",
  };

  test("are distinguished by import, account list, doctor and a refused replacement", async () => {
    expect((await codexlb("account", "import", "--from", "home", "home")).err).toBe(
      `codexlb: created ${join(temp.path, "root")}\n`,
    );
    expect(await codexlb("account", "import", "--from", "work", "work")).toEqual({
      code: 0,
      out: "imported account work (total=2)\n",
      err: `codexlb: work is ${NAMES.work}; home is ${NAMES.home}\n`,
    });
    expect((await codexlb("account", "list")).out).toBe(
      `home\topenai:home\t${NAMES.home}\tready\nwork\topenai:work\t${NAMES.work}\tready\n`,
    );
    const { findings } = JSON.parse((await codexlb("doctor", "--json", "--codex-bin", "/nowhere")).out);
    const details = findings
      .filter(({ check }: { check: string }) => check.startsWith("account "))
      .map(({ detail }: { detail: string }) => detail.split(": ")[0]);
    expect(details).toEqual([NAMES.home, NAMES.work]);
    expect((await codexlb("account", "import", "--from", "work", "home")).err).toContain(
      `home is enrolled as ${NAMES.home}, but this login is for ${NAMES.work}`,
    );
    // Only another account shares the address, and the login is another person's.
    expect((await codexlb("account", "import", "--from", "other", "home")).err).toContain(
      `home is enrolled as ${NAMES.home}, but this login is for you@example.com\n`,
    );
    expect((await codexlb("account", "show", "work")).out).toContain(`workspace ${WORK.accountId}`);
  });
});
