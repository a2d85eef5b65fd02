import { describe, expect, test } from "bun:test";
import { createEngineClock } from "../../src/cluster/engine-clock.ts";
import { fakeClock } from "../support/clock.ts";
import { until } from "../support/pool.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import { NOTES, type SignalPeer, signalPeer } from "../support/signal-peer.ts";

const LIMIT_MS = 20_000;

/** A signal that is sent while a replica connects may arrive twice. */
const texts = ({ notes }: SignalPeer) => [
  ...new Set(notes.map(({ name, value }) => `${name}: ${value.text}`)),
];
const hasText = (peer: SignalPeer, text: string) =>
  until(`${text} arrives`, () => texts(peer).includes(text), LIMIT_MS);
const put = ({ exchange, clock }: SignalPeer, name: string, text: string, atMs?: number) =>
  exchange.put(NOTES, name, { text, untilMs: clock.now() + 60_000 }, atMs);

test("the clock of the engine is unknown after this clock was set or the process was stopped", () => {
  const clock = fakeClock();
  const engineClock = createEngineClock(clock);
  expect(engineClock.aheadMs()).toBeUndefined();
  const askedMs = clock.monotonic();
  clock.advance(20);
  engineClock.measured(clock.now() - 10 + 90_000, askedMs);
  expect(engineClock.aheadMs()).toBe(90_000);
  clock.advance(3_600_000);
  expect(engineClock.aheadMs()).toBe(90_000);
  clock.setBack(60_000);
  expect(engineClock.aheadMs()).toBeUndefined();
  engineClock.measured(clock.now() + 150_000, clock.monotonic());
  expect(engineClock.aheadMs()).toBe(150_000);
  // A slow question does not replace a better measurement until that is old.
  const slowMs = clock.monotonic();
  clock.advance(400);
  engineClock.measured(clock.now() + 150_190, slowMs);
  expect(engineClock.aheadMs()).toBe(150_000);
  clock.advance(3_600_000);
  engineClock.measured(clock.now() + 150_090, clock.monotonic() - 200);
  expect(engineClock.aheadMs()).toBe(150_190);
});

describe.skipIf(whyNoRedis !== undefined)("signals", () => {
  test("reach the other replicas, and never their sender", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b");
    put(a, "alice", "cooling");
    await hasText(b, "alice: cooling");
    put(b, "bob", "ready");
    await hasText(a, "bob: ready");
    expect(texts(a)).toEqual(["bob: ready"]);
    expect(new Set(b.notes.map(({ replica }) => replica))).toEqual(new Set(["a"]));
  });

  test("are sent once while they do not change, and together within their delay", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b");
    const value = { text: "cooling", untilMs: 1_900_000_000_000 };
    for (let time = 0; time < 10; time++) a.exchange.put(NOTES, "alice", value);
    await hasText(b, "alice: cooling");
    a.exchange.put(NOTES, "alice", value);
    for (let number = 0; number < 50; number++) put(a, `n${number}`, "first");
    put(a, "n49", "last");
    await hasText(b, "n49: last");
    expect(texts(b)).toHaveLength(51);
    const [, messages] = /cmdstat_publish:calls=(\d+),/.exec(await redis.cli("INFO", "commandstats")) ?? [];
    // Two batches, and what is sent again if a connection was slow.
    expect(Number(messages)).toBeOneOf([2, 3, 4]);
  });

  test("of an older source change nothing, whichever replica sends them", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b");
    const atMs = a.clock.now();
    put(a, "alice", "newer", atMs);
    await hasText(b, "alice: newer");
    put(b, "alice", "older", atMs - 1_000);
    put(b, "end", "");
    await hasText(a, "end: ");
    expect(texts(a)).toEqual(["end: "]);
    using late = await signalPeer(redis.url, "late");
    await hasText(late, "alice: newer");
  });

  test("have the times of the receiver's clock, even if the clocks differ by minutes", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a", { aheadMs: () => 5 * 60_000 });
    using b = await signalPeer(redis.url, "b", { aheadMs: () => -3 * 60_000 });
    const atMs = b.clock.now() - 10_000;
    const untilMs = b.clock.now() + 60_000;
    a.exchange.put(NOTES, "alice", { text: "cooling", untilMs: untilMs + 8 * 60_000 }, atMs + 8 * 60_000);
    await hasText(b, "alice: cooling");
    const [note] = b.notes;
    // Both clocks were measured against the engine, each with the error of one question.
    expect(Math.abs((note?.atMs ?? 0) - atMs)).toBeLessThan(2_000);
    expect(Math.abs((note?.value.untilMs ?? 0) - untilMs)).toBeLessThan(2_000);
    // By the clocks of the replicas, this one would be older.
    put(b, "alice", "ready");
    await hasText(a, "alice: ready");
  });

  test("that arrive after the receiver's clock was set have the times of its new clock", async () => {
    await using redis = await startRedis();
    let aheadMs = 0;
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b", { aheadMs: () => aheadMs });
    put(a, "alice", "before");
    await hasText(b, "alice: before");
    aheadMs = 10 * 60_000;
    const untilMs = a.clock.now() + 60_000;
    a.exchange.put(NOTES, "alice", { text: "after", untilMs });
    await hasText(b, "alice: after");
    expect(Math.abs((b.notes.at(-1)?.value.untilMs ?? 0) - untilMs - aheadMs)).toBeLessThan(2_000);
  });

  test("are known to a replica that connects later, unless their lifetime has ended", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    for (let number = 0; number < 450; number++) put(a, `n${number}`, "x");
    a.exchange.put({ ...NOTES, lifetimeMs: 1 }, "short", { text: "gone", untilMs: 0 });
    put(a, "end", "");
    using b = await signalPeer(redis.url, "b");
    await until("all have arrived", () => texts(b).length >= 451, LIMIT_MS);
    using c = await signalPeer(redis.url, "c");
    await until("all have arrived", () => texts(c).length === 451, LIMIT_MS);
    expect(c.notes.some(({ name }) => name === "short")).toBe(false);
    put(a, "sweep", "");
    await hasText(c, "sweep: ");
    expect(await redis.cli("HLEN", "{codexlb:team}:signals")).toBe("452");
    for (const key of ["signal_order", "signal_ends"])
      expect(await redis.cli("ZCARD", `{codexlb:team}:${key}`)).toBe("452");
  });

  test("can be asked for by name", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    put(a, "alice", "cooling");
    using b = await signalPeer(redis.url, "b");
    await hasText(b, "alice: cooling");
    b.notes.length = 0;
    await b.exchange.ask(NOTES, "alice", LIMIT_MS);
    await b.exchange.ask(NOTES, "unknown", LIMIT_MS);
    expect(texts(b)).toEqual(["alice: cooling"]);
    process.kill(redis.pid, "SIGSTOP");
    await b.exchange.ask(NOTES, "alice", 30);
    process.kill(redis.pid, "SIGCONT");
    expect(texts(b)).toEqual(["alice: cooling"]);
  });

  test("that were lost are read after a new subscription, with the next message, or at the next comparison", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b", { isHeard: (message) => !message.includes("\n") });
    put(a, "first", "");
    await a.exchange.flush();
    await b.poll();
    await hasText(b, "first: ");
    put(a, "second", "");
    await a.exchange.flush();
    b.exchange.received("1 999 1");
    await hasText(b, "second: ");
    put(a, "third", "");
    await a.exchange.flush();
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await hasText(b, "third: ");
    b.exchange.received("not a message");
    expect(b.warnings).toEqual([expect.stringContaining("later version of codexlb")]);
  });

  test("wait for an engine that is gone, the newest of each name", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b");
    await redis.kill();
    await until(
      "the loss is noticed",
      () =>
        a.poll().then(
          () => false,
          () => true,
        ),
      LIMIT_MS,
    );
    put(a, "alice", "first");
    put(a, "alice", "second");
    await a.exchange.flush();
    await redis.restart();
    await hasText(b, "alice: second");
    expect(texts(b)).not.toContain("alice: first");
  });

  test("are sent again by their replica when the engine was emptied", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using b = await signalPeer(redis.url, "b");
    put(a, "alice", "cooling");
    put(b, "bob", "cooling");
    await Promise.all([hasText(b, "alice: cooling"), hasText(a, "bob: cooling")]);
    await redis.cli("FLUSHALL");
    await Promise.all([a.poll(), b.poll()]);
    await until(
      "the engine has both",
      async () => (await redis.cli("HLEN", "{codexlb:team}:signals")) === "2",
      LIMIT_MS,
    );
    using late = await signalPeer(redis.url, "late");
    await Promise.all([hasText(late, "alice: cooling"), hasText(late, "bob: cooling")]);
  });

  test("of a later version, or under another key, are ignored with one warning", async () => {
    await using redis = await startRedis();
    using a = await signalPeer(redis.url, "a");
    using other = await signalPeer(redis.url, "other", { key: new Uint8Array(32).fill(7) });
    using b = await signalPeer(redis.url, "b");
    const later = { ...NOTES, schema: undefined as never, shift: (value: never) => value };
    a.exchange.put(later, "alice", { words: 1 } as never);
    a.exchange.put({ ...later, kind: "unknown" }, "bob", { words: 2 } as never);
    other.exchange.put(NOTES, "carol", { text: "x", untilMs: 0 });
    put(a, "end", "");
    await hasText(b, "end: ");
    await until("both are reported", () => b.warnings.length === 2, LIMIT_MS);
    expect(b.warnings.sort()).toEqual([
      "another replica uses a different key, so this one cannot read what it notices; after a change of the key, copy the new key file to every replica",
      "the pool has signals from a later version of codexlb, which this replica ignores; upgrade this replica",
    ]);
    expect(texts(b)).toEqual(["end: "]);
  });
});
