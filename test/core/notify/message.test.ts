// The texts of notifications: plain sentences, without e-mail addresses and control characters, and short in a storm.

import { describe, expect, test } from "bun:test";
import { messageFor, testMessage } from "../../../src/core/notify/message.ts";
import { type Notice, noticeOf, shownName } from "../../../src/core/notify/notice.ts";
import { type Trouble, type TroubleView, troublesOf } from "../../../src/core/notify/trouble.ts";
import { candidate } from "../../support/candidates.ts";
import { hostile, unprintableIn } from "../../support/hostile-text.ts";
import { deadAccount, exhaustedAccount, watchedAccount, watchedPool } from "../../support/troubles.ts";

process.env.TZ = "UTC";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const VIEW: TroubleView = { nowMs: NOW, poolBelowPercent: 20, bypassedMs: NOW };

const present = (pool: Parameters<typeof troublesOf>[0]) =>
  troublesOf(pool, VIEW).filter(({ state }) => state === "present");
const notices = (troubles: readonly Trouble[]) =>
  troubles
    .map((trouble) => noticeOf(trouble, { nowMs: NOW, rootFlag: "" }))
    .filter((notice) => notice !== undefined) as Notice[];
const textOf = (troubles: readonly Trouble[]) => messageFor(notices(troubles), "laptop", NOW).text;
const over = (trouble: Trouble): Trouble => ({ ...trouble, state: "absent" });

describe("one line says what happened", () => {
  const child = { name: "office", candidate: candidate("child:x"), presence: "lost" } as const;
  const all = present(
    watchedPool(
      [
        exhaustedAccount("alice", NOW + 4 * DAY),
        exhaustedAccount("bob", NOW + 2 * HOUR, "short"),
        watchedAccount("carol", { condition: "exhausted", exhausted: true }),
        deadAccount("erin"),
        deadAccount("frank", "x"),
      ],
      0.18,
      [child],
    ),
  );

  test("at the beginning of each trouble", () => {
    const pool = present(watchedPool([watchedAccount("a")], 0.18));
    expect(notices([...pool, ...all]).map(({ kind, text }) => `${kind}: ${text}`)).toMatchInlineSnapshot(`
      [
        "pool_low: The pool has 18 % of its weekly quota left",
        "codex_bypassed: A run of Codex bypassed the proxy, so its turns did not use the accounts; check with: codexlb doctor",
        "pool_low: The pool has 18 % of its weekly quota left",
        "account_exhausted: alice: weekly limit reached, back Tue 03:04 (in 4 days)",
        "account_exhausted: bob: 5-hour limit reached, back at 05:04 (in 2 h)",
        "account_exhausted: carol: usage limit reached",
        "login_required: erin must log in again: codexlb account login erin",
        "login_required: frank is out of service; see why: codexlb account show frank",
        "child_lost: Child proxy office is not reachable; check with: codexlb doctor",
        "codex_bypassed: A run of Codex bypassed the proxy, so its turns did not use the accounts; check with: codexlb doctor",
      ]
    `);
  });

  test("at the end of each trouble, if it matters", () => {
    const pool = present(watchedPool([watchedAccount("a")], 0.18));
    expect(
      notices([...pool, ...all].map(over)).map(({ kind, text }) => `${kind}: ${text}`),
    ).toMatchInlineSnapshot(`
      [
        "pool_recovered: The pool has 18 % of its weekly quota left again",
        "pool_recovered: The pool has 18 % of its weekly quota left again",
        "account_back: alice is back: it can serve turns again",
        "account_back: bob is back: it can serve turns again",
        "account_back: carol is back: it can serve turns again",
        "login_restored: erin: the login works again",
        "login_restored: frank: the login works again",
        "child_back: Child proxy office is reachable again",
      ]
    `);
  });

  test("about floors, in the words of the status", () => {
    const kept = (alias: string) => watchedAccount(alias, { condition: "kept_back", untilMs: NOW + HOUR });
    const dry = exhaustedAccount("dry", NOW + 2 * HOUR);
    // At its floor, and one window of it is exhausted.
    const both = watchedAccount("both", { condition: "kept_back", exhausted: true, untilMs: NOW + HOUR });
    const textsOf = (...accounts: readonly ReturnType<typeof kept>[]) =>
      notices(
        present(watchedPool(accounts)).filter(({ kind }) =>
          ["account_exhausted", "pool_exhausted"].includes(kind),
        ),
      ).map(({ text }) => text);
    expect([textsOf(kept("a")), textsOf(kept("a"), kept("b")), textsOf(kept("a"), dry, both)]).toEqual([
      [
        "The only account is kept back by its floor; it is back at 04:04 (in 1 h)",
        "a: at its floor, back at 04:04 (in 1 h)",
      ],
      [
        "All 2 accounts are kept back by their floors; the first is back at 04:04 (in 1 h)",
        "a: at its floor, back at 04:04 (in 1 h)",
        "b: at its floor, back at 04:04 (in 1 h)",
      ],
      [
        "No account can serve turns: 2 have reached a limit, 1 is kept back by its floor; the first is back at 04:04 (in 1 h)",
        "a: at its floor, back at 04:04 (in 1 h)",
        "dry: weekly limit reached, back at 05:04 (in 2 h)",
        "both: usage limit reached, back at 04:04 (in 1 h)",
      ],
    ]);
  });

  test("about the whole pool", () => {
    const pools = [
      [exhaustedAccount("a", NOW + HOUR)],
      [
        exhaustedAccount("a", NOW + HOUR),
        exhaustedAccount("b", NOW + 4 * HOUR),
        exhaustedAccount("c", NOW + DAY),
      ],
      [exhaustedAccount("a", NOW + HOUR), deadAccount("b")],
      [exhaustedAccount("a", NOW + HOUR), exhaustedAccount("b", 0), deadAccount("c"), deadAccount("d")],
      [deadAccount("a")],
    ].map((accounts) => troublesOf(watchedPool(accounts), VIEW).slice(0, 1));
    expect(pools.map(textOf)).toMatchInlineSnapshot(`
      [
        "The only account has reached a limit; it is back at 04:04 (in 1 h)",
        "All 3 accounts have reached a limit; the first is back at 04:04 (in 1 h)",
        "No account can serve turns: 1 has reached a limit, 1 needs attention (codexlb status); the first is back at 04:04 (in 1 h)",
        "No account can serve turns: 2 have reached a limit, 2 need attention (codexlb status); the first is back at 04:04 (in 1 h)",
        "No account can serve turns: 1 needs attention (codexlb status)",
      ]
    `);
    const counts = { total: 3, exhausted: 1, keptBack: 0, dead: 0, ready: 2, hasChildren: false };
    const back = { key: "pool_exhausted", kind: "pool_exhausted", state: "absent", counts } as const;
    expect(textOf([back])).toBe("The pool can serve turns again: 2 of 3 accounts are ready");
  });
});

test("a storm becomes one message with one line for each kind", () => {
  const accounts = Array.from({ length: 11 }, (_, at) => exhaustedAccount(`a${at}`, NOW + (at + 1) * HOUR));
  const message = messageFor(notices(present(watchedPool(accounts))), "laptop", NOW);
  expect(message.text).toMatchInlineSnapshot(`
    "All 11 accounts have reached a limit; the first is back at 04:04 (in 1 h)
    11 accounts have reached a limit: a0, a1, a2 and 8 more; the first is back at 04:04 (in 1 h)
    A run of Codex bypassed the proxy, so its turns did not use the accounts; check with: codexlb doctor"
  `);
  expect(message.json.kind).toBe("digest");
  expect(message.json.notices).toHaveLength(13);
  const more = Array.from({ length: 200 }, (_, at) => exhaustedAccount(`a${at}`, NOW + HOUR));
  expect(messageFor(notices(present(watchedPool(more))), "laptop", NOW).json.notices).toHaveLength(50);
});

test("the JSON has the kind, the account and the times", () => {
  const [notice] = notices(present(watchedPool([watchedAccount("r"), exhaustedAccount("alice", NOW + DAY)])));
  expect(messageFor(notice === undefined ? [] : [notice], "laptop", NOW)).toMatchInlineSnapshot(`
    {
      "json": {
        "at": "2026-01-02T03:04:05.000Z",
        "kind": "account_exhausted",
        "notices": [
          {
            "account": "alice",
            "back_at": "2026-01-03T03:04:05.000Z",
            "kind": "account_exhausted",
            "text": "alice: weekly limit reached, back Sat 03:04 (in 24 h)",
            "window": "weekly",
          },
        ],
        "proxy": "laptop",
        "text": "alice: weekly limit reached, back Sat 03:04 (in 24 h)",
      },
      "text": "alice: weekly limit reached, back Sat 03:04 (in 24 h)",
      "title": "codexlb laptop",
    }
  `);
  expect(testMessage("laptop", NOW).json).toMatchObject({ kind: "test", proxy: "laptop", notices: [] });
});

test("a time that no date can express is left out", () => {
  const [notice] = notices(present(watchedPool([watchedAccount("r"), exhaustedAccount("a", 1e18)])));
  const message = messageFor(notice === undefined ? [] : [notice], "laptop", NOW);
  expect(message.json.notices[0]?.back_at).toBeUndefined();
});

test("commands name a root that is not the default one", () => {
  const [login] = present(watchedPool([watchedAccount("r"), deadAccount("erin")]));
  const notice = login && noticeOf(login, { nowMs: NOW, rootFlag: " --root /srv/lb" });
  expect(notice?.text).toBe("erin must log in again: codexlb account login --root /srv/lb erin");
});

describe("names from others", () => {
  test.each([
    ["erin@example.com", "e***@***"],
    ["work-erin.b+x@mail.example.org", "w***@***"],
    ["my erin@example.com login", "my e***@*** login"],
    ["alice", "alice"],
    ["a".repeat(100), `${"a".repeat(64)}...`],
  ])("%s is shown as %s", (name, shown) => {
    expect(shownName(name)).toBe(shown);
  });

  test("cannot control a terminal, start a line or bring a command", () => {
    const names = [
      hostile("a"),
      "b\nc",
      '"; rm -rf ~ #',
      "$(touch x)",
      "-rf",
      "<script>",
      "erin@example.com",
    ];
    for (const name of names) {
      const troubles = present(
        watchedPool([watchedAccount("r"), deadAccount(name), exhaustedAccount(name, NOW + DAY)]),
      );
      for (const trouble of troubles) {
        const { title, text, json } = messageFor(notices([trouble]), name, NOW);
        expect([name, unprintableIn(`${title}${text}${json.proxy}`)]).toEqual([name, []]);
        expect(text).not.toContain("example.com");
        const command = /codexlb account login (.*)$/.exec(text)?.[1];
        expect(command ?? "ALIAS").toBe("ALIAS");
      }
    }
  });
});
