// The notifier: every change is sent once through every channel, across restarts, failures and changed settings.

import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NOT_SHARED } from "../../src/cluster/sharing.ts";
import type { NotifyMessage } from "../../src/core/notify/message.ts";
import { MESSAGE_GAP_MS, SETTLE_MS, TROUBLE_GAP_MS } from "../../src/core/notify/pending.ts";
import type { WatchedPool } from "../../src/core/notify/trouble.ts";
import type { ChannelName } from "../../src/notify/channel.ts";
import { createNotifier, type Notifier } from "../../src/notify/notifier.ts";
import { createSharedReports } from "../../src/notify/shared-reports.ts";
import { parseConfig } from "../../src/state/config.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";
import { deadAccount, exhaustedAccount, watchedAccount, watchedPool } from "../support/troubles.ts";

const SECOND = 1_000;
/** Long enough for every message that is due. */
const LONG_MS = 2 * TROUBLE_GAP_MS;
const BOTH = 'command = ["x"]\nwebhook = "https://x"';

type Answer = string | undefined | Promise<string | undefined>;

/** A notifier on a root of its own, whose channels record what they send. */
function world(notify = 'webhook = "https://x"') {
  const temp = tempDirectory();
  const path = join(temp.path, "notify.json");
  let clock = fakeClock();
  const messages: { readonly channel: ChannelName; readonly message: NotifyMessage }[] = [];
  const events: string[] = [];
  const lines: string[] = [];
  const log = {
    info: (line: string) => void lines.push(line),
    warn: (line: string) => void lines.push(line),
  };
  const read = (text: string) => parseConfig(`[proxy]\nname = "laptop"\n[notify]\n${text}\n`, "").config;
  let config = read(notify);
  let pool: WatchedPool = GOOD;
  let answer = (_channel: ChannelName): Answer => undefined;
  let looks = 0;
  const channel = (name: ChannelName) => ({
    name,
    send: async (message: NotifyMessage) => {
      messages.push({ channel: name, message });
      return answer(name);
    },
  });
  const create = (): Notifier =>
    createNotifier({
      deps: { clock, random: (bytes) => new Uint8Array(bytes), log },
      events: {
        append: (event, fields = {}) => void events.push([event, ...Object.values(fields)].join(" ")),
        flush: () => {},
      },
      path,
      owner: { isOurs: () => true },
      settings: () => config,
      channels: ({ notify: { command, webhook } }) => [
        ...(command.length === 0 ? [] : [channel("command")]),
        ...(webhook === "" ? [] : [channel("webhook")]),
      ],
      shared: createSharedReports(NOT_SHARED, clock),
      rootFlag: "",
      pool: () => {
        looks++;
        return pool;
      },
    });
  let notifier = create();
  notifier.start();
  return {
    path,
    events,
    lines,
    messages,
    looks: () => looks,
    notifier: () => notifier,
    sent: (name: ChannelName = "webhook") =>
      messages
        .filter((one) => one.channel === name)
        .map(({ message }) =>
          message.json.notices.map(({ kind, account = "" }) => `${kind} ${account}`.trim()),
        ),
    answerWith: (next: (channel: ChannelName) => Answer) => {
      answer = next;
    },
    become: (next: WatchedPool) => {
      pool = next;
    },
    configure: (text: string) => {
      config = read(text);
    },
    pass: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += SECOND) {
        clock.advance(SECOND);
        for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      }
    },
    /** Abandons the notifier at this moment, as `kill -9` does, and starts another one on the same file. */
    killAndRestart: () => {
      // The timers of the old clock never fire again.
      clock = fakeClock(clock.now());
      notifier = create();
      notifier.start();
    },
    [Symbol.asyncDispose]: async () => {
      await notifier.stop();
      temp[Symbol.dispose]();
    },
  };
}

const BAD = watchedPool([exhaustedAccount("alice", Date.UTC(2026, 1, 1)), watchedAccount("bob")]);
const GOOD = watchedPool([watchedAccount("alice"), watchedAccount("bob")]);

test("the beginning and the end of a trouble are sent once through every channel", async () => {
  await using w = world(BOTH);
  await w.pass(LONG_MS);
  expect(w.messages).toEqual([]);
  w.become(BAD);
  await w.pass(LONG_MS);
  w.become(GOOD);
  await w.pass(LONG_MS);
  const expected = [["account_exhausted alice"], ["account_back alice"]];
  expect([w.sent("command"), w.sent("webhook")]).toEqual([expected, expected]);
  expect(w.events).toEqual([
    "notify.sent command 1",
    "notify.sent webhook 1",
    "notify.sent command 1",
    "notify.sent webhook 1",
  ]);
  expect(w.lines).toEqual([]);
});

test("what is present at the first start is sent together", async () => {
  await using w = world();
  w.become(watchedPool([deadAccount("alice"), exhaustedAccount("bob", 0), watchedAccount("carol")]));
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["login_required alice", "account_exhausted bob"]]);
});

test("a killed proxy repeats nothing, and sends what changed meanwhile", async () => {
  await using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  for (let count = 0; count < 5; count++) {
    w.killAndRestart();
    await w.pass(LONG_MS);
  }
  expect(w.sent()).toEqual([["account_exhausted alice"]]);
  w.become(GOOD);
  w.killAndRestart();
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["account_exhausted alice"], ["account_back alice"]]);
});

test("a proxy that is killed at any moment loses no notification, and repeats only one that was being sent", async () => {
  for (let seconds = 1; seconds <= 20; seconds++) {
    await using w = world();
    w.become(BAD);
    await w.pass(seconds * SECOND);
    w.killAndRestart();
    await w.pass(LONG_MS);
    expect([seconds, w.sent()]).toEqual([seconds, [["account_exhausted alice"]]]);
  }
  await using w = world();
  w.become(BAD);
  const sending = Promise.withResolvers<undefined>();
  w.answerWith(() => sending.promise);
  await w.pass(SETTLE_MS + 2 * SECOND);
  expect(w.sent()).toHaveLength(1);
  w.killAndRestart();
  w.answerWith(() => undefined);
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["account_exhausted alice"], ["account_exhausted alice"]]);
});

test("a channel that fails is tried again with growing delays, and reported once", async () => {
  await using w = world(BOTH);
  w.answerWith((channel) => (channel === "webhook" ? "the server returned status 500" : undefined));
  w.become(BAD);
  await w.pass(30 * 60 * SECOND);
  const tries = w.sent().length;
  expect(tries).toBeGreaterThan(5);
  expect(tries).toBeLessThan(15);
  expect(w.sent("command")).toEqual([["account_exhausted alice"]]);
  expect(w.events).toEqual(["notify.sent command 1", "notify.failed webhook the server returned status 500"]);
  expect(w.lines).toEqual([
    "notifications by webhook fail: the server returned status 500; codexlb keeps trying, see: codexlb doctor",
  ]);
  w.answerWith(() => undefined);
  await w.pass(LONG_MS);
  expect(w.sent().slice(tries)).toEqual([["account_exhausted alice"]]);
  expect(w.lines.slice(1)).toEqual(["notifications by webhook work again"]);
  await w.pass(LONG_MS);
  expect(w.sent()).toHaveLength(tries + 1);
});

test("a failure that lasts over a restart is not reported again", async () => {
  await using w = world();
  w.answerWith(() => "connection refused");
  w.become(BAD);
  await w.pass(60 * SECOND);
  w.killAndRestart();
  await w.pass(60 * SECOND);
  expect(w.events).toEqual(["notify.failed webhook connection refused"]);
});

test("while a channel fails, nothing piles up: only what is still true is sent", async () => {
  await using w = world();
  w.answerWith(() => "connection refused");
  for (let count = 0; count < 5; count++) {
    w.become(BAD);
    await w.pass(LONG_MS);
    w.become(GOOD);
    await w.pass(LONG_MS);
  }
  const failed = w.messages.length;
  w.answerWith(() => undefined);
  await w.pass(LONG_MS);
  expect(w.messages.length).toBe(failed);
});

test("a channel that hangs delays neither the other channel nor the notifier", async () => {
  await using w = world(BOTH);
  const hanging = Promise.withResolvers<undefined>();
  w.answerWith((channel) => (channel === "webhook" ? hanging.promise : undefined));
  w.become(BAD);
  await w.pass(LONG_MS);
  w.become(GOOD);
  await w.pass(LONG_MS);
  expect(w.sent("command")).toEqual([["account_exhausted alice"], ["account_back alice"]]);
  expect(w.sent("webhook")).toEqual([["account_exhausted alice"]]);
  hanging.resolve(undefined);
  await w.pass(LONG_MS);
  expect(w.sent("webhook")).toEqual([["account_exhausted alice"], ["account_back alice"]]);
});

test("settings apply while it runs", async () => {
  await using w = world("");
  w.become(BAD);
  await w.pass(LONG_MS);
  expect([w.looks(), w.messages.length]).toEqual([0, 0]);
  w.configure('webhook = "https://x"\nevents = ["account_back"]');
  await w.pass(LONG_MS);
  expect(w.messages).toEqual([]);
  w.become(GOOD);
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["account_back alice"]]);
  w.become(watchedPool([watchedAccount("alice")], 0.1));
  w.configure('webhook = "https://x"\npool_below = 5');
  await w.pass(LONG_MS);
  w.configure('webhook = "https://x"\npool_below = 50');
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["account_back alice"], ["pool_low"]]);
});

test("a channel that is added later first reports what is present", async () => {
  await using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  w.configure(BOTH);
  await w.pass(LONG_MS);
  w.configure('command = ["x"]');
  await w.pass(LONG_MS);
  w.configure(BOTH);
  await w.pass(LONG_MS);
  expect(w.sent("command")).toEqual([["account_exhausted alice"]]);
  expect(w.sent("webhook")).toEqual([["account_exhausted alice"], ["account_exhausted alice"]]);
});

test("a run that bypassed the proxy is reported once a day, also if the proxy is killed at once", async () => {
  await using w = world();
  w.notifier().noteBypass();
  w.notifier().noteBypass();
  w.killAndRestart();
  await w.pass(60 * SECOND);
  for (let count = 0; count < 5; count++) {
    w.notifier().noteBypass();
    await w.pass(LONG_MS);
  }
  expect(w.sent()).toEqual([["codex_bypassed"]]);
  await w.pass(24 * 3_600 * SECOND + MESSAGE_GAP_MS);
  w.notifier().noteBypass();
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["codex_bypassed"], ["codex_bypassed"]]);
});

test("a damaged file costs a repetition, and a fault in the watch only a warning", async () => {
  await using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  writeFileSync(w.path, "{");
  w.killAndRestart();
  await w.pass(LONG_MS);
  expect(w.sent()).toEqual([["account_exhausted alice"], ["account_exhausted alice"]]);
  expect(w.lines).toEqual([`${w.path} is damaged; problems that were already reported are reported again`]);
  w.become({} as WatchedPool);
  await w.pass(LONG_MS);
  expect(w.lines).toHaveLength(2);
  w.become(GOOD);
  await w.pass(LONG_MS);
  expect(w.sent().at(-1)).toEqual(["account_back alice"]);
});

test("the file contains no texts, and only its owner can read it", async () => {
  await using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  expect(JSON.parse(readFileSync(w.path, "utf8"))).toEqual({
    version: 1,
    ways: {
      webhook: {
        last_sent_at_ms: expect.any(Number),
        reported: { "account_exhausted:openai:alice": { present: true, at_ms: expect.any(Number) } },
      },
    },
  });
  expect(statSync(w.path).mode & 0o777).toBe(0o600);
});
