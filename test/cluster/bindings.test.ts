// The bindings of sessions between two replicas, over a real engine.

import { describe, expect, test } from "bun:test";
import type { SignalExchange } from "../../src/cluster/signal-exchange.ts";
import { createAffinity } from "../../src/upstream/affinity.ts";
import { type BindingSignals, createBindingSignals } from "../../src/upstream/binding-signals.ts";
import { fileKey } from "../../src/upstream/state-keys.ts";
import { createStateOwners } from "../../src/upstream/state-owners.ts";
import { until } from "../support/pool.ts";
import { startRedis, type TestRedis, whyNoRedis } from "../support/redis.ts";
import { type SignalPeerOptions, signalPeer } from "../support/signal-peer.ts";

const LIMIT_MS = 20_000;

/** `most`: how many bindings it remembers. */
async function replica(redis: TestRedis, name: string, options: SignalPeerOptions = {}, most?: number) {
  const affinity = createAffinity(undefined, most);
  let bindings: BindingSignals | undefined;
  const prepare = (exchange: SignalExchange) => {
    bindings = createBindingSignals(exchange, affinity);
  };
  const peer = await signalPeer(redis.url, name, { ...options, prepare });
  return { ...peer, affinity, bindings: bindings! };
}

type TestReplica = Awaited<ReturnType<typeof replica>>;

const hasBound = ({ affinity }: TestReplica, session: string, upstreamId: string) =>
  until(
    `${session} is bound to ${upstreamId}`,
    () => affinity.get(session)?.upstreamId === upstreamId,
    LIMIT_MS,
  );

describe.skipIf(whyNoRedis !== undefined)("a binding", () => {
  test("that one replica makes or moves is known to the others, with the upstreams before", async () => {
    await using redis = await startRedis();
    using a = await replica(redis, "a");
    using b = await replica(redis, "b");
    a.affinity.bind("session", "openai:alice");
    await hasBound(b, "session", "openai:alice");
    b.affinity.bind("session", "openai:bob", true);
    await hasBound(a, "session", "openai:bob");
    expect(a.affinity.get("session")).toEqual({
      upstreamId: "openai:bob",
      held: true,
      earlierIds: ["openai:alice"],
    });
    // A long key is shared as its hash.
    a.affinity.bind("x".repeat(500), "openai:alice");
    await hasBound(b, "x".repeat(500), "openai:alice");
  });

  test("is not sent again by the replica that got it, nor for further turns", async () => {
    await using redis = await startRedis();
    using a = await replica(redis, "a");
    using b = await replica(redis, "b");
    a.affinity.bind("session", "openai:alice");
    await hasBound(b, "session", "openai:alice");
    for (const { affinity } of [a, b, a, b]) affinity.bind("session", "openai:alice");
    a.affinity.bind("end", "openai:alice");
    await hasBound(b, "end", "openai:alice");
    expect(await redis.cli("INFO", "commandstats")).toMatch(/cmdstat_publish:calls=2,/);
  });

  test("that is unknown here is asked for once, and never if it is known", async () => {
    await using redis = await startRedis();
    using a = await replica(redis, "a");
    // The second replica remembers only two of them, and so has forgotten the first ones.
    for (const key of ["first", "notes first", "second", "third"]) a.affinity.bind(key, `openai:${key}`);
    await a.exchange.flush();
    using b = await replica(redis, "b", {}, 2);
    await hasBound(b, "third", "openai:third");
    expect(b.bindings.learn("third")).toBeUndefined();
    expect(b.bindings.learn("second")).toBeUndefined();
    expect(b.bindings.learn(undefined)).toBeUndefined();
    expect(b.affinity.get("first")).toBeUndefined();
    await b.bindings.learn("new");
    expect(b.bindings.learn("new")).toBeUndefined();
    expect(b.affinity.get("new")).toBeUndefined();
    const state = { kind: "notes", operation: "read_file", session: "first", isSearchable: true } as const;
    await until("the server has answered in time", async () => {
      await b.bindings.learn("first", state);
      return b.affinity.get("first") !== undefined;
    });
    expect(b.affinity.get("first")?.upstreamId).toBe("openai:first");
    expect(b.bindings.learn("first")).toBeUndefined();
  });

  test("is not waited for while the server does not answer", async () => {
    await using redis = await startRedis();
    using a = await replica(redis, "a");
    process.kill(redis.pid, "SIGSTOP");
    await a.bindings.learn("session");
    process.kill(redis.pid, "SIGCONT");
    await redis.kill();
    await a.bindings.learn("another");
    expect(a.affinity.get("session")).toBeUndefined();
  });

  test("of a file or of notes leads to the account that has them", async () => {
    await using redis = await startRedis();
    using a = await replica(redis, "a");
    using b = await replica(redis, "b");
    createStateOwners(a.affinity).created("file-1", "openai:alice");
    await hasBound(b, fileKey("file-1"), "openai:alice");
    const file = { kind: "files", fileId: "file-1", session: undefined, isSearchable: true } as const;
    expect(createStateOwners(b.affinity).ownersOf(file)).toEqual(["openai:alice"]);
  });
});
