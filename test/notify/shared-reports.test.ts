// Notifications of replicas: one of them reports what happens to the pool, and another one takes over if that one is
// killed or cut off.

import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Signal, SignalKind, Signals } from "../../src/cluster/signals.ts";
import type { WorkLeases } from "../../src/cluster/work-leases.ts";
import type { NotifyMessage } from "../../src/core/notify/message.ts";
import { MESSAGE_GAP_MS, TROUBLE_GAP_MS } from "../../src/core/notify/pending.ts";
import type { WatchedPool } from "../../src/core/notify/trouble.ts";
import type { Channel } from "../../src/notify/channel.ts";
import { createNotifier } from "../../src/notify/notifier.ts";
import { createSharedReports } from "../../src/notify/shared-reports.ts";
import { parseConfig } from "../../src/state/config.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";
import { deadAccount, exhaustedAccount, watchedAccount, watchedPool } from "../support/troubles.ts";

const SECOND = 1_000;
const LEASE_MS = 60 * SECOND;
const LONG_MS = 2 * TROUBLE_GAP_MS;
const NAMES = ["lab", "office", "laptop"] as const;
type Name = (typeof NAMES)[number];

const GOOD = watchedPool([watchedAccount("alice"), watchedAccount("bob")]);
const BAD = watchedPool([exhaustedAccount("alice", Date.UTC(2026, 1, 1)), watchedAccount("bob")]);
const WORSE = watchedPool([exhaustedAccount("alice", Date.UTC(2026, 1, 1)), deadAccount("bob")]);

/** Three replicas with the same webhook, and an engine for their leases and signals. */
function world(channelsOf: Readonly<Partial<Record<Name, string>>> = {}) {
  const temp = tempDirectory();
  const clock = fakeClock();
  const messages: string[] = [];
  const gone = new Set<Name>();
  const cutOff = new Set<Name>();
  const failing = new Set<Name>();
  const leases = new Map<string, { readonly name: Name; readonly untilMs: number }>();
  const watchers = new Map<Name, (signal: Signal<never>) => void>();
  let pool: WatchedPool = GOOD;
  /** Called after a message was sent, before it counts as reported. */
  let afterSend = (_name: Name): void => {};

  const holds = (name: Name, job: string) => {
    const lease = leases.get(job);
    return lease !== undefined && lease.name === name && lease.untilMs > clock.now();
  };
  const leasesOf = (name: Name): WorkLeases => ({
    take: async (jobs) => {
      if (cutOff.has(name)) return new Set(jobs);
      for (const job of jobs) {
        const lease = leases.get(job);
        if (lease === undefined || lease.untilMs <= clock.now() || lease.name === name)
          leases.set(job, { name, untilMs: clock.now() + LEASE_MS });
      }
      return new Set(jobs.filter((job) => holds(name, job)));
    },
    holds: (job) => holds(name, job),
    giveBack: (job) => void (holds(name, job) && leases.delete(job)),
    workers: () => 1,
  });
  const signalsOf = (name: Name): Signals => ({
    put: <T>(_kind: SignalKind<T>, signal: string, value: T) => {
      if (gone.has(name) || cutOff.has(name)) return;
      const sent = { name: signal, value, atMs: clock.now(), endsMs: clock.now(), replica: name };
      for (const other of NAMES)
        if (other !== name && !gone.has(other) && !cutOff.has(other))
          watchers.get(other)?.(sent as unknown as Signal<never>);
    },
    watch: (_kind, apply) => void watchers.set(name, apply as (signal: Signal<never>) => void),
    ask: async () => {},
  });
  const bypasses = new Map<Name, () => void>();
  for (const name of NAMES) {
    const text = channelsOf[name] ?? 'webhook = "https://x"';
    const config = parseConfig(`[proxy]\nname = "${name}"\n[notify]\n${text}\n`, "").config;
    const channel = (kind: Channel["name"]): Channel => ({
      name: kind,
      send: async ({ json }: NotifyMessage) => {
        if (failing.has(name)) return "connection refused";
        for (const { kind: what, account = "" } of json.notices)
          messages.push(`${name}: ${what} ${account}`.trim());
        afterSend(name);
        // The rest of a killed process never runs.
        if (gone.has(name)) await new Promise(() => {});
        return undefined;
      },
    });
    const notifier = createNotifier({
      deps: { clock, random: (bytes) => new Uint8Array(bytes), log: { info: () => {}, warn: () => {} } },
      events: { append: () => {}, flush: () => {} },
      path: join(temp.path, `${name}.json`),
      owner: { isOurs: () => !gone.has(name) },
      settings: () => config,
      channels: ({ notify: { webhook, desktop } }) => [
        ...(webhook === "" ? [] : [channel("webhook")]),
        ...(desktop ? [channel("desktop")] : []),
      ],
      shared: createSharedReports({ leases: leasesOf(name), signals: signalsOf(name) }, clock),
      rootFlag: "",
      pool: () => {
        // A killed process looks at nothing.
        if (gone.has(name)) throw new Error("killed");
        return pool;
      },
    });
    notifier.start();
    bypasses.set(name, notifier.noteBypass);
  }
  return {
    messages,
    become: (next: WatchedPool) => {
      pool = next;
    },
    kill: (name: Name) => void gone.add(name),
    cutOff,
    failing,
    bypass: (name: Name) => bypasses.get(name)?.(),
    onSend: (then: (name: Name) => void) => {
      afterSend = then;
    },
    pass: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += SECOND) {
        clock.advance(SECOND);
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      }
    },
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

const whatOf = (messages: readonly string[]) => messages.map((message) => message.replace(/^\w+: /, ""));

test("replicas with the same webhook report each event of the pool once", async () => {
  using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  expect(w.messages).toEqual(["lab: account_exhausted alice"]);
  w.become(WORSE);
  await w.pass(LONG_MS);
  w.become(GOOD);
  await w.pass(LONG_MS);
  expect(whatOf(w.messages).sort()).toEqual([
    "account_back alice",
    "account_exhausted alice",
    "login_required bob",
    "login_restored bob",
    "pool_back",
    "pool_exhausted",
  ]);
  expect(new Set(w.messages.map((message) => message.split(":")[0]))).toEqual(new Set(["lab"]));
});

test("what concerns one replica is reported by that replica", async () => {
  using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  w.bypass("office");
  w.bypass("laptop");
  await w.pass(LONG_MS);
  expect(w.messages.sort()).toEqual([
    "lab: account_exhausted alice",
    "laptop: codex_bypassed",
    "office: codex_bypassed",
  ]);
});

test("after the reporting replica is killed, another one reports within a lease and the gap between messages", async () => {
  using w = world();
  w.become(BAD);
  await w.pass(LONG_MS);
  w.kill("lab");
  w.become(WORSE);
  await w.pass(LEASE_MS + MESSAGE_GAP_MS);
  expect(w.messages).toEqual([
    "lab: account_exhausted alice",
    "office: pool_exhausted",
    "office: login_required bob",
  ]);
});

test("a message is sent at most twice if its sender is killed before it could report it as sent", async () => {
  using w = world();
  w.onSend((name) => {
    if (name === "lab") w.kill("lab");
  });
  w.become(BAD);
  await w.pass(LONG_MS);
  expect(w.messages).toEqual(["lab: account_exhausted alice", "office: account_exhausted alice"]);
});

test("a replica that is cut off from the others reports by itself", async () => {
  using w = world();
  w.cutOff.add("laptop");
  w.become(BAD);
  await w.pass(LONG_MS);
  expect(w.messages.sort()).toEqual(["lab: account_exhausted alice", "laptop: account_exhausted alice"]);
});

test("if the channel fails on one replica, another one sends the message", async () => {
  using w = world();
  w.failing.add("lab");
  w.become(BAD);
  await w.pass(LONG_MS);
  expect(w.messages).toEqual(["office: account_exhausted alice"]);
});

test("channels with other settings, and desktops, get their own messages", async () => {
  using w = world({ office: 'webhook = "https://y"', laptop: "desktop = true" });
  w.become(BAD);
  await w.pass(LONG_MS);
  expect(w.messages.sort()).toEqual([
    "lab: account_exhausted alice",
    "laptop: account_exhausted alice",
    "office: account_exhausted alice",
  ]);
});
