import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createEngine } from "../../src/cluster/engine.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { systemDeps } from "../../src/deps.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import { begin, type EngineState, finish, put, revive, search } from "./protocol-model.ts";

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

  test.each([
    [2, 4, 0],
    [3, 3, 0],
    [2, 3, 2],
    [3, 3, 1],
  ])(
    "%i replicas with %i renewals and %i kills send no token twice, unless its sender was killed",
    (replicas, renewals, crashes) => {
      const found = search({ replicas, renewals, crashes, protocol: "a lock on a generation" });
      console.log(`${replicas} replicas, ${renewals} renewals, ${crashes} kills: ${found.states} states`);
      expect(found.states).toBeGreaterThan(100);
      expect(found.counterexample).toBeUndefined();
      expect(found.backwards).toBeUndefined();
      expect(found.afterCrash === undefined).toBe(crashes === 0);
    },
  );

  test("the sender of a token that is sent twice was killed before its answer was written, or did not return in time", () => {
    const { afterCrash } = search({
      replicas: 2,
      renewals: 2,
      crashes: 1,
      protocol: "a lock on a generation",
    });
    expect(afterCrash).toEqual([
      "A may send 1",
      "A sends 1, gets 2",
      "A is killed and starts again",
      "A may send 1",
      "A sends 1, refused",
    ]);
  });
});

/** A lease ends at once, or lasts longer than the test. */
const command = fc.oneof(
  fc.record({
    do: fc.constant("begin" as const),
    generation: fc.integer({ min: 0, max: 4 }),
    replica: fc.constantFrom("A", "B"),
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
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
        await redis.cli("FLUSHALL");
        await records.create("pool", "", false);
        let model: EngineState = { generation: 0, value: 0, fence: 0 };
        for (const [index, one] of commands.entries())
          switch (one.do) {
            case "begin": {
              const [after, answer] = begin(model, one, 0);
              model = after;
              expect(await records.begin("login/a", one.generation, one)).toEqual(answer);
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
      { numRuns: 60 },
    );
    engine.close();
  },
  60_000,
);
