// Every way in which the processes of replicas can interleave under the rules of protocol-model.ts. A search through all
// states finds the shortest way to a second use of a refresh token, if there is one.

import { begin, type EngineState, finish, NO_TURNS, PLACE_MS, poll, put } from "./protocol-model.ts";

/**
 * How processes decide that they may send a token. The last one is ours; the others show why simpler rules fail. "turns
 * of replicas" does not distinguish the processes of a replica; in "turns of the newest process" that one takes over
 * the turns of earlier ones, whether they have ended or not.
 */
export type Protocol =
  | "no turns"
  | "a lock"
  | "turns of replicas"
  | "turns of the newest process"
  | "turns of processes";

interface ProcessState {
  readonly replica: string;
  readonly processId: string;
  /** The refresh token in its file, and the generation and token that it last agreed on with the engine. */
  readonly disk: number;
  readonly agreed: number;
  readonly agreedToken: number;
  /** `off`: not started. `answered`: the new token is in memory only. `written`: it is in the file as well. */
  readonly at: "off" | "idle" | "granted" | "answered" | "written" | "dead";
  readonly fence: number;
  readonly answer: number;
}

export interface World {
  readonly engine: EngineState;
  /** The refresh token that works. */
  readonly live: number;
  readonly processes: readonly ProcessState[];
  readonly crashesLeft: number;
  /** Tokens whose sender was killed before the engine had its successor. */
  readonly orphaned: readonly number[];
  readonly sent: readonly number[];
}

export interface Bounds {
  readonly replicas: number;
  /** Copies of the root of the first replica, on which further processes start later. */
  readonly copies?: number;
  readonly renewals: number;
  readonly crashes: number;
  readonly protocol: Protocol;
}

export interface Search {
  readonly states: number;
  /** The shortest way to a token that was sent twice although its sender was not killed; undefined if there is none. */
  readonly counterexample: readonly string[] | undefined;
  /** The same for a token whose sender was killed. */
  readonly afterCrash: readonly string[] | undefined;
  /** Ways in which an older login replaced a newer one in the engine. */
  readonly backwards: readonly string[] | undefined;
}

/** Visits every state within `bounds`, shortest ways first. */
export function search(bounds: Bounds): Search {
  const { replicas, copies = 0 } = bounds;
  const processes = Array.from({ length: replicas + copies }, (_, index): ProcessState => {
    const isCopy = index >= replicas;
    const replica = isCopy ? "A" : ("ABC"[index] ?? "");
    return {
      ...{ replica, processId: isCopy ? `A${index - replicas + 2}` : replica },
      ...{ disk: 1, agreed: 1, agreedToken: 1, at: isCopy ? "off" : "idle", fence: 0, answer: 0 },
    };
  });
  const first: World = {
    engine: processes
      .filter(({ at }) => at !== "off")
      .reduce((engine, process) => started(engine, process), { ...NO_TURNS, generation: 1, value: 1 }),
    live: 1,
    processes,
    crashesLeft: bounds.crashes,
    orphaned: [],
    sent: [],
  };
  const ways = new Map<string, readonly [from: string | undefined, step: string]>();
  const keyOf = (world: World) => JSON.stringify(world);
  const wayTo = (key: string): string[] => {
    const way: string[] = [];
    for (let at: string | undefined = key; at !== undefined; ) {
      const [from, step]: readonly [string | undefined, string] = ways.get(at) ?? [undefined, ""];
      if (step !== "") way.unshift(step);
      at = from;
    }
    return way;
  };
  ways.set(keyOf(first), [undefined, ""]);
  const found: Record<"counterexample" | "afterCrash" | "backwards", string[] | undefined> = {
    counterexample: undefined,
    afterCrash: undefined,
    backwards: undefined,
  };
  let level = [first];
  while (level.length > 0) {
    const next: World[] = [];
    for (const world of level)
      for (const [step, after] of steps(world, bounds)) {
        const key = keyOf(after);
        if (ways.has(key)) continue;
        ways.set(key, [keyOf(world), step]);
        if (after.engine.value < world.engine.value) found.backwards ??= wayTo(key);
        const again = after.sent.find((token, index) => after.sent.indexOf(token) < index);
        if (again === undefined) next.push(after);
        else if (after.orphaned.includes(again)) found.afterCrash ??= wayTo(key);
        else found.counterexample ??= wayTo(key);
      }
    level = next;
  }
  return { states: ways.size, ...found };
}

// --- internal ---

/** The lease of the model: a turn lasts until `expires` is a step, which happens only to a process that was killed. */
const LEASE_MS = 1;

function* steps(world: World, { protocol, renewals }: Bounds): Generator<readonly [string, World]> {
  const { engine, processes } = world;
  for (const [index, process] of processes.entries()) {
    const become = (changes: Partial<ProcessState>, more: Partial<World> = {}): World => ({
      ...world,
      ...more,
      processes: processes.map((one, at) => (at === index ? { ...one, ...changes } : one)),
    });
    const { replica, processId: name, disk, agreed, agreedToken, at, fence, answer } = process;
    if (at === "off") yield [`${name} starts`, become({ at: "idle" }, { engine: started(engine, process) })];
    const current = engine.processes[replica]?.processId ?? name;
    // A process takes the place of another one only when that has ended.
    if (at === "idle" && current !== name && !engine.heard.includes(current)) {
      const seenMs = -PLACE_MS;
      const old = { ...engine.processes, [replica]: { processId: current, seenMs } };
      const [after] = poll({ ...engine, processes: old }, { replica, processId: name, isFirst: false }, 0);
      yield [`${name} takes the place of ${current}`, become({}, { engine: after })];
    }
    if (at === "idle" && world.sent.length < renewals) {
      const asked = ask(protocol, engine, process);
      if (asked !== undefined)
        yield [`${name} may send ${disk}`, become({ at: "granted", fence: asked.fence }, { engine: asked })];
    }
    if (at === "granted") {
      const sent = [...world.sent, disk];
      if (disk === world.live) {
        const live = world.live + 1;
        yield [
          `${name} sends ${disk}, gets ${live}`,
          become({ at: "answered", answer: live }, { live, sent }),
        ];
      } else {
        const after = finish(engine, fence, "reused");
        yield [`${name} sends ${disk}, refused`, become({ at: "dead" }, { engine: after, sent })];
      }
    }
    if (at === "answered") yield [`${name} writes ${answer}`, become({ at: "written", disk: answer })];
    if (at === "written") {
      const [after, isPut] = put(engine, { value: disk, over: agreed, generation: agreed + 1, fence });
      yield [
        `${name} puts ${disk}${isPut ? "" : " in vain"}`,
        become(
          { at: "idle", ...(isPut ? { agreed: agreed + 1, agreedToken: disk } : {}) },
          { engine: after },
        ),
      ];
    }
    if (at === "idle" || at === "dead") {
      if (engine.generation > agreed) {
        const taken = { disk: engine.value, agreed: engine.generation, agreedToken: engine.value };
        yield [`${name} takes ${engine.value}`, become({ ...taken, at: "idle" })];
      } else if (disk !== agreedToken) {
        const [after] = put(engine, { value: disk, over: agreed, generation: agreed + 1, fence: -1 });
        yield [
          `${name} puts ${disk} later`,
          become({ agreed: agreed + 1, agreedToken: disk }, { engine: after }),
        ];
      }
    }
    if (world.crashesLeft > 0 && at !== "off" && at !== "idle" && at !== "dead") {
      // What it has sent, and the engine has no successor of.
      const orphan = at === "granted" ? [] : [agreedToken];
      const heard = engine.heard.filter((one) => one !== name);
      yield [
        `${name} is killed`,
        become(
          { processId: `${name}'`, at: "off", fence: 0, answer: 0 },
          {
            engine: { ...engine, heard },
            crashesLeft: world.crashesLeft - 1,
            orphaned: [...world.orphaned, ...orphan],
          },
        ),
      ];
    }
  }
  const { turn } = engine;
  const holder = processes.find(({ processId }) => processId === turn?.processId);
  // A live process ends its turn long before the lease does.
  if (
    turn !== undefined &&
    turn.untilMs > 0 &&
    (holder === undefined || ["idle", "dead"].includes(holder.at))
  )
    yield ["the lease ends", { ...world, engine: { ...engine, turn: { ...turn, untilMs: 0 } } }];
}

/** The engine after a new process has connected and polled. */
function started(engine: EngineState, { replica, processId }: ProcessState): EngineState {
  return poll(
    { ...engine, heard: [...engine.heard, processId] },
    { replica, processId, isFirst: true },
    0,
  )[0];
}

/** The engine after the process got the right to send its token; undefined if it did not. */
function ask(
  protocol: Protocol,
  engine: EngineState,
  { replica, processId, disk, agreed, agreedToken }: ProcessState,
): EngineState | undefined {
  if (protocol === "no turns") return engine;
  const generation = protocol === "a lock" ? engine.generation : agreed;
  if (protocol !== "a lock" && disk !== agreedToken) return undefined; // it first sends what it has
  const known = protocol === "turns of processes" ? engine : { ...engine, heard: [] };
  const processes = protocol === "turns of replicas" || protocol === "a lock" ? {} : engine.processes;
  const request = { generation, replica, processId, leaseMs: LEASE_MS, takesOver: true };
  const [after, answer] = begin({ ...known, processes }, request, 0);
  if (answer.kind !== "yours" || after.turn === undefined) return undefined;
  return { ...engine, fence: after.fence, turn: { ...after.turn, wasHeard: true } };
}
