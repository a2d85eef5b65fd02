import { expect, test } from "bun:test";
import { statusTable } from "../../../src/cli/status/status-table.ts";
import { shortStatus } from "../../../src/core/short-status.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { accountState } from "../../../src/core/status-words.ts";

const NOW = 1_700_000_000_000;
const at = (seconds: number) => NOW / 1000 + seconds;

const STATUS = StatusAnswer.parse({
  proxy_name: "edge-a",
  policy: { mode: "usage_balanced" },
  selection_reason: "usage-stay",
  accounts: [
    {
      proxy_name: "edge-a",
      alias: "alice",
      id: "openai:alice",
      email: "alice@example.com",
      active: true,
      pinned: true,
      healthy: true,
      enabled: true,
      cooldown_seconds: 0,
      daily_left_pct: 80,
      weekly_left_pct: 70,
      daily_reset_at: at(3 * 3600),
      weekly_reset_at: at(4 * 86_400),
      score: 0.76,
    },
    {
      proxy_name: "edge-b",
      alias: "bob",
      id: "openai:bob",
      active: false,
      pinned: false,
      healthy: false,
      enabled: true,
      cooldown_seconds: 5,
      daily_left_pct: -1,
      weekly_left_pct: -1,
      daily_reset_at: 0,
      weekly_reset_at: 0,
      score: 0.3,
    },
  ],
  additional_limits: [
    {
      limit_id: "spark",
      limit_name: "Spark",
      primary_left_pct: 75,
      primary_reset_at: at(59 * 60),
      secondary_left_pct: 90,
      secondary_reset_at: at(6 * 86_400),
    },
  ],
});

test("the table has the columns that scripts for the Go program read", () => {
  expect(statusTable(STATUS, { columns: undefined, figures: true }, NOW).replaceAll(" ", "·")).toBe(
    `ACTIVE··PIN··PROXY···ALIAS········EMAIL··············STATUS········DAILY·LEFT··DAILY·RESET··WEEKLY·LEFT··WEEKLY·RESET··SCORE
*·······P····edge-a··alice········alice@example.com··ready·········80.0%·······in·3·hours···70.0%········in·4·days·····0.760
·············edge-b··bob··········-··················cooldown(5s)··-···········-············-············-·············0.300
-·······-····-·······-············-··················-·············-···········-············-············-·············-
···································································80.0%····················70.0%······················
·····················Spark·limit···································75.0%·······in·59·min····90.0%········in·6·days·····
`,
  );
});

test("COLUMNS below 140 asks for a block of lines per account", () => {
  expect(statusTable(STATUS, { columns: 80, figures: true }, NOW)).toBe(`* alice @ edge-a pinned
  alice@example.com
  daily 80.0% (in 3 hours)  weekly 70.0% (in 4 days)  score 0.760

> bob @ edge-b
  daily - (-)  weekly - (-)  score 0.300
  status cooldown(5s)

----
daily 80.0%  weekly 70.0%
Spark limit 75.0% (in 59 min)  90.0% (in 6 days)
`);
});

test("two workspaces of one e-mail address are distinguished at every width", () => {
  const accounts = STATUS.accounts.map((account, index) => ({
    ...account,
    email: "me@example.com",
    plan_type: index === 0 ? "team" : undefined,
    workspace: ["99990000", "1a2b3c4d"][index],
  }));
  for (const columns of [undefined, 60]) {
    const text = statusTable({ ...STATUS, accounts }, { columns, figures: false }, NOW);
    expect(text).toContain("me@example.com (team, workspace 99990000)");
    expect(text).toContain("me@example.com (workspace 1a2b3c4d)");
  }
});

test("a monthly window and credits get columns if an account has them", () => {
  const [alice, bob] = STATUS.accounts;
  const accounts = [
    { ...alice, monthly_left_pct: 12.5, monthly_reset_at: at(20 * 86_400), windows: ["monthly"] },
    { ...bob, credits: { has_credits: true, unlimited: false, balance: 4.5, usable: false } },
  ].map((account) => ({ ...account }) as (typeof STATUS.accounts)[number]);
  const wide = statusTable({ ...STATUS, accounts }, { columns: undefined, figures: false }, NOW);
  const [head = "", first = "", second = ""] = wide.split("\n");
  expect(head).toMatch(/WEEKLY RESET +MONTHLY LEFT +MONTHLY RESET +CREDITS +SCORE/);
  expect(first).toMatch(/12\.5% +in 20 days +- +0\.760/);
  expect(second).toContain("4.5 (not usable)");
  const narrow = statusTable({ ...STATUS, accounts }, { columns: 60, figures: false }, NOW);
  expect(narrow).toContain("monthly 12.5% (in 20 days)");
  expect(narrow).toContain("credits 4.5 (not usable)");
});

test("a window of a limit is in the column of its length", () => {
  const limit = {
    limit_id: "spark",
    primary_left_pct: -1,
    primary_reset_at: 0,
    primary_window_seconds: 0,
    secondary_left_pct: 30,
    secondary_reset_at: at(20 * 86_400),
    secondary_window_seconds: 30 * 86_400,
    complete: true,
    cooldown_seconds: 0,
  };
  const status = { ...STATUS, additional_limits: [limit] };
  const wide = statusTable(status, { columns: undefined, figures: false }, NOW);
  expect(wide).toContain("MONTHLY LEFT");
  expect(wide).toMatch(/spark limit +- +- +- +- +30\.0% +in 20 days/);
  expect(statusTable(status, { columns: 60, figures: false }, NOW)).toContain("30.0% (in 20 days)");
});

test("the state shows that a workspace restricts an account", () => {
  const [alice] = STATUS.accounts;
  const stateWith = (more: object) =>
    accountState(StatusAnswer.parse({ ...STATUS, accounts: [{ ...alice, ...more }] }).accounts[0]!);
  const type = "workspace_owner_credits_depleted";
  expect(stateWith({ limit_reached_type: type })).toBe(`limited(${type})`);
  expect(stateWith({ limit_reached_type: "rate_limit_reached" })).toBe("ready");
  expect(stateWith({ individual_limit: { left_pct: 0, reset_at: 0 } })).toBe("limited(member limit)");
  expect(stateWith({ individual_limit: { left_pct: 5, reset_at: 0 } })).toBe("ready");
});

test("the state shows an account that is exhausted according to its figures, unless it has credits", () => {
  const [alice] = STATUS.accounts;
  const tableWith = (more: object) =>
    statusTable(
      StatusAnswer.parse({ ...STATUS, accounts: [{ ...alice, daily_left_pct: 0, ...more }] }),
      { columns: undefined, figures: false },
      NOW,
    );
  expect(tableWith({})).toContain("exhausted(daily)");
  expect(tableWith({ weekly_left_pct: 0 })).toContain("exhausted(daily,weekly)");
  const credits = { has_credits: true, unlimited: false, balance: 4.5, usable: true };
  expect(tableWith({ credits })).not.toContain("STATUS");
});

test("status bars get one line", () => {
  expect(shortStatus(STATUS)).toBe("lb=alice reason=usage-stay mode=usage_balanced");
  expect(shortStatus(StatusAnswer.parse({ accounts: null }))).toBe("lb=none reason=none mode=none");
  const [first] = STATUS.accounts;
  if (first === undefined) throw new Error("the status has no accounts");
  const key = { ...first, id: "openai:key", alias: "key", active: false };
  expect(
    shortStatus({
      ...STATUS,
      accounts: [...STATUS.accounts, key],
      selected_account_id: key.id,
      selection_reason: "last-resort",
    }),
  ).toBe("lb=key reason=last-resort mode=usage_balanced");
  expect(shortStatus({ ...STATUS, selected_account_id: undefined, selection_reason: "full" })).toBe(
    "lb=none reason=full mode=usage_balanced",
  );
  // No account takes the next turn, so the one that served last is not named.
  expect(shortStatus({ ...STATUS, selection_reason: undefined })).toBe(
    "lb=none reason=none mode=usage_balanced",
  );
});

test("columns without content are left out", () => {
  const plain = { ...STATUS, accounts: [{ ...STATUS.accounts[0]!, pinned: false }], additional_limits: null };
  expect(statusTable(plain, { columns: undefined, figures: true }, NOW)).toBe(
    `ACTIVE  PROXY   ALIAS  EMAIL              DAILY LEFT  DAILY RESET  WEEKLY LEFT  WEEKLY RESET  SCORE
*       edge-a  alice  alice@example.com  80.0%       in 3 hours   70.0%        in 4 days     0.760
-       -       -      -                  -           -            -            -             -
                                          80.0%                    70.0%                      
`,
  );
  expect(statusTable({ ...STATUS, accounts: [] }, { columns: undefined, figures: true }, NOW)).toBe(
    "no accounts\n",
  );
});

test("text from another proxy cannot control the terminal", () => {
  const evil = StatusAnswer.parse({
    accounts: null,
    child_proxies: [
      {
        name: "\u001b[2Jevil",
        url: "http://h",
        active: false,
        healthy: false,
        reachable: false,
        cooldown_seconds: 0,
        score: 0,
        last_error: "a\u0007b\nc",
      },
    ],
  });
  expect(statusTable(evil, { columns: 200, figures: true }, NOW).replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  expect(statusTable(evil, { columns: 80, figures: true }, NOW)).toContain("error a b c");
});

test("--wide adds the source and the age of the figures", () => {
  const [alice, bob] = STATUS.accounts;
  const figure = { window: "daily", source: "usage_api", age_seconds: 3 };
  const status = StatusAnswer.parse({ ...STATUS, accounts: [{ ...alice, figures: [figure] }, bob] });
  const [head = "", first = ""] = statusTable(status, { columns: undefined, figures: true }, NOW).split("\n");
  expect(head).toMatch(/SCORE +FIGURES$/);
  expect(first).toMatch(/0\.760 +usage_api 3s$/);
  expect(statusTable(status, { columns: undefined, figures: false }, NOW)).not.toContain("FIGURES");
});

test("the table is not narrower than its texts, at any width that asks for a table", () => {
  const accounts = STATUS.accounts.map((account) => ({ ...account, email: "a".repeat(120) }));
  expect(statusTable({ ...STATUS, accounts }, { columns: 140, figures: false }, NOW)).toStartWith("ACTIVE");
});
