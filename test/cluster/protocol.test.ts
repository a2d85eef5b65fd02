import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Redis } from "ioredis";
import { createEngine } from "../../src/cluster/engine.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { processChannelOf } from "../../src/cluster/scripts.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { systemDeps } from "../../src/deps.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import {
  begin,
  type EngineState,
  finish,
  NO_TURNS,
  PLACE_MS,
  poll,
  put,
  revive,
  stop,
} from "./protocol-model.ts";
import { search } from "./protocol-search.ts";

describe("in every order of events", () => {
  test("replicas without turns send a token twice", () => {
    const { counterexample } = search({ replicas: 2, renewals: 2, crashes: 0, protocol: "no turns" });
    expect(counterexample).toEqual([
      "A may send 1",
      "A sends 1, gets 2",
      "B may send 1",
      "B sends 1, refused",
    ]);
  });

  test("a lock is not enough: the next replica sends the token that it had before", () => {
    const { counterexample } = search({ replicas: 2, renewals: 2, crashes: 0, protocol: "a lock" });
    expect(counterexample).toEqual([
      "A may send 1",
      "A sends 1, gets 2",
      "A writes 2",
      "A puts 2",
      "B may send 1",
      "B sends 1, refused",
    ]);
  });

  test.each(["turns of replicas", "turns of the newest process"] as const)(
    "%s are not enough: two processes of one replica send the same token",
    (protocol) => {
      const { counterexample } = search({ replicas: 1, copies: 1, renewals: 2, crashes: 0, protocol });
      expect(counterexample).toEqual([
        "A may send 1",
        "A sends 1, gets 2",
        "A2 starts",
        "A2 may send 1",
        "A2 sends 1, refused",
      ]);
    },
  );

  test.each([
    [2, 0, 4, 0],
    [3, 0, 3, 0],
    [2, 0, 3, 2],
    [3, 0, 3, 1],
    [1, 1, 3, 2],
    [1, 2, 3, 1],
    [2, 1, 3, 1],
  ])(
    "%i replicas, with %i copies of a root, %i renewals and %i kills, send no token twice, unless its sender was killed",
    (replicas, copies, renewals, crashes) => {
      const found = search({ replicas, copies, renewals, crashes, protocol: "turns of processes" });
      console.log(
        `${replicas} replicas, ${copies} copies, ${renewals} renewals, ${crashes} kills: ${found.states} states`,
      );
      expect(found.states).toBeGreaterThan(100);
      expect(found.counterexample).toBeUndefined();
      expect(found.backwards).toBeUndefined();
      expect(found.afterCrash === undefined).toBe(crashes === 0);
    },
  );

  test("the sender of a token that is sent twice was killed before its answer was written, or did not return in time", () => {
    const { afterCrash } = search({ replicas: 2, renewals: 2, crashes: 1, protocol: "turns of processes" });
    expect(afterCrash).toEqual([
      "A may send 1",
      "A sends 1, gets 2",
      "A is killed",
      "A' starts",
      "A' may send 1",
      "A' sends 1, refused",
    ]);
  });
});

/** Two processes are the replica A. */
const PROCESSES = [
  { replica: "A", processId: "A1" },
  { replica: "A", processId: "A2" },
  { replica: "B", processId: "B1" },
] as const;
const process = fc.constantFrom(...PROCESSES);

/** A lease ends at once, or lasts longer than the test. */
const command = fc.oneof(
  fc.record({ do: fc.constant("poll" as const), process, isFirst: fc.boolean() }),
  fc.record({ do: fc.constant("stop" as const), process }),
  fc.record({ do: fc.constant("connect" as const), process }),
  fc.record({ do: fc.constant("disconnect" as const), process }),
  fc.record({ do: fc.constant("wait" as const) }),
  fc.record({
    do: fc.constant("begin" as const),
    generation: fc.integer({ min: 0, max: 4 }),
    process,
    leaseMs: fc.constantFrom(0, 600_000),
    takesOver: fc.boolean(),
  }),
  fc.record({
    do: fc.constant("put" as const),
    over: fc.integer({ min: 0, max: 4 }),
    generation: fc.integer({ min: 1, max: 5 }),
    fence: fc.integer({ min: 0, max: 6 }),
  }),
  fc.record({ do: fc.constant("revive" as const), over: fc.integer({ min: 0, max: 4 }) }),
  fc.record({
    do: fc.constant("finish" as const),
    fence: fc.integer({ min: 1, max: 6 }),
    reason: fc.constantFrom("", "invalid-grant"),
  }),
);

test.skipIf(whyNoRedis !== undefined)(
  "the scripts in the engine follow the rules of the model",
  async () => {
    await using redis = await startRedis();
    const deps = systemDeps();
    const engine = createEngine({ url: redis.url, pool: "team", deps });
    await engine.connected(5_000);
    const sealer = createSealer(new Uint8Array(32), "team", deps.random);
    const records = poolRecords(engine, sealer, "team");
    const client = new Redis(redis.url.slice("unix://".length));
    const subscriber = client.duplicate();
    const about = { name: "n", version: "v" };
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
        await client.flushall();
        await subscriber.unsubscribe(
          ...PROCESSES.map(({ processId }) => processChannelOf("team", processId)),
        );
        await records.create("pool", "", false);
        let model: EngineState = NO_TURNS;
        let nowMs = 0;
        for (const [index, one] of commands.entries())
          switch (one.do) {
            case "poll": {
              const by = { ...one.process, isFirst: one.isFirst };
              const [after, isDuplicate] = poll(model, by, nowMs);
              model = after;
              expect((await records.poll(by.replica, about, by)).isDuplicate).toBe(isDuplicate);
              break;
            }
            case "stop": {
              const { replica, processId } = one.process;
              model = stop(model, replica, processId);
              await records.stop(replica, about, processId);
              break;
            }
            case "connect":
              model = { ...model, heard: [...model.heard, one.process.processId] };
              await subscriber.subscribe(processChannelOf("team", one.process.processId));
              break;
            case "disconnect":
              model = { ...model, heard: model.heard.filter((id) => id !== one.process.processId) };
              await subscriber.unsubscribe(processChannelOf("team", one.process.processId));
              break;
            case "wait":
              // The clock of the engine cannot be set, so what it has seen becomes older.
              nowMs += PLACE_MS;
              for (const [replica, { processId }] of Object.entries(model.processes))
                await client.hset("{codexlb:team}:processes", replica, `${processId} 0`);
              break;
            case "begin": {
              const by = { ...one, ...one.process };
              const [after, answer] = begin(model, by, 0);
              model = after;
              expect(await records.begin("login/a", one.generation, by)).toEqual(answer);
              break;
            }
            case "put": {
              const [after, isPut] = put(model, { ...one, value: index });
              model = after;
              const fact = { name: "login/a", value: String(index) };
              const fence = String(one.fence);
              expect(await records.put(fact, one.over, one.generation, fence)).toBe(isPut);
              break;
            }
            case "revive": {
              const [after, generation] = revive(model, { ...one, value: index });
              model = after;
              expect(await records.revive({ name: "login/a", value: String(index) }, one.over)).toBe(
                generation,
              );
              break;
            }
            default:
              model = finish(model, one.fence, one.reason);
              await records.finish("login/a", String(one.fence), one.reason || undefined);
          }
        const tag = sealer.tagOf("login/a");
        const record = (await records.records([tag])).get(tag);
        expect(record?.generation).toBe(model.generation);
        if (model.generation > 0)
          expect(record?.opened).toEqual({
            kind: "fact",
            fact: { name: "login/a", value: String(model.value) },
          });
      }),
      { numRuns: 100 },
    );
    for (const connection of [client, subscriber]) connection.disconnect();
    engine.close();
  },
  60_000,
);
