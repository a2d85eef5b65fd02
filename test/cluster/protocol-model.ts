// The rules of scripts.ts for one login, in TypeScript, and every way in which replicas can interleave under them. A
// search through all states finds the shortest way to a second use of a refresh token, if there is one.

/** What the engine has of one login. The value is the number of its refresh token: later tokens have larger numbers. */
export interface EngineState {
  readonly generation: number;
  readonly value: number;
  readonly fence: number;
  readonly turn?: {
    readonly generation: number;
    readonly fence: number;
    readonly untilMs: number;
    readonly replica: string;
  };
}

export interface BeginRequest {
  readonly generation: number;
  readonly replica: string;
  readonly leaseMs: number;
  readonly takesOver: boolean;
}

export type BeginAnswer =
  | { readonly kind: "changed" }
  | { readonly kind: "busy"; readonly replica: string }
  | { readonly kind: "dead"; readonly reason: string }
  | { readonly kind: "yours"; readonly fence: string; readonly lost: string };

/** The script `begin`, at `atMs`. */
export function begin(
  engine: EngineState,
  { generation, replica, leaseMs, takesOver }: BeginRequest,
  atMs: number,
): readonly [EngineState, BeginAnswer] {
  if (engine.generation !== generation) return [engine, { kind: "changed" }];
  const { turn } = engine;
  let lost = "";
  if (turn?.generation === generation) {
    if (turn.replica.startsWith("dead:")) return [engine, { kind: "dead", reason: turn.replica.slice(5) }];
    if (turn.replica !== replica && (atMs < turn.untilMs || !takesOver))
      return [engine, { kind: "busy", replica: turn.replica }];
    lost = turn.replica;
  }
  const fence = engine.fence + 1;
  const next = { ...engine, fence, turn: { generation, fence, untilMs: atMs + leaseMs, replica } };
  return [next, { kind: "yours", fence: String(fence), lost }];
}

/** The script `put`. */
export function put(
  engine: EngineState,
  { value, over, generation, fence }: { value: number; over: number; generation: number; fence: number },
): readonly [EngineState, boolean] {
  const after = engine.turn?.fence === fence ? withoutTurn(engine) : engine;
  if (after.generation !== over || generation <= after.generation) return [after, false];
  return [{ ...after, generation, value }, true];
}

/** The script `revive`: the generation afterwards, or undefined. */
export function revive(
  engine: EngineState,
  { value, over }: { value: number; over: number },
): readonly [EngineState, number | undefined] {
  if (engine.generation !== over) return [engine, undefined];
  const { turn, generation } = engine;
  if (turn?.generation !== generation || !turn.replica.startsWith("dead:")) return [engine, generation];
  return [{ ...engine, generation: generation + 1, value }, generation + 1];
}

/** The script `finish`. */
export function finish(engine: EngineState, fence: number, deadReason: string): EngineState {
  const { turn } = engine;
  if (turn?.fence !== fence) return engine;
  if (deadReason === "") return withoutTurn(engine);
  return {
    ...engine,
    turn: { generation: turn.generation, fence: 0, untilMs: 0, replica: `dead:${deadReason}` },
  };
}

/** How replicas decide that they may send a token. The last one is ours; the others show why it is as it is. */
export type Protocol = "no turns" | "a lock" | "a lock on a generation";

interface ReplicaState {
  /** The refresh token in its file, and the generation and token that it last agreed on with the engine. */
  readonly disk: number;
  readonly agreed: number;
  readonly agreedToken: number;
  /** `answered`: the new token is in memory only. `written`: it is in the file as well. */
  readonly at: "idle" | "granted" | "answered" | "written" | "dead";
  readonly fence: number;
  readonly answer: number;
}

export interface World {
  readonly engine: EngineState;
  /** The refresh token that works. */
  readonly live: number;
  readonly replicas: readonly ReplicaState[];
  readonly crashesLeft: number;
  /** Tokens whose sender was killed before the engine had its successor. */
  readonly orphaned: readonly number[];
  readonly sent: readonly number[];
}

export interface Bounds {
  readonly replicas: number;
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
  const first: World = {
    engine: { generation: 1, value: 1, fence: 0 },
    live: 1,
    replicas: Array.from({ length: bounds.replicas }, () => ({
      disk: 1,
      agreed: 1,
      agreedToken: 1,
      at: "idle",
      fence: 0,
      answer: 0,
    })),
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

/** The lease of the model: a turn lasts until `expires` is a step, which happens only to a replica that was killed. */
const LEASE_MS = 1;

function* steps(world: World, { protocol, renewals }: Bounds): Generator<readonly [string, World]> {
  const { engine, replicas } = world;
  for (const [index, replica] of replicas.entries()) {
    const name = "ABC"[index] ?? "";
    const become = (changes: Partial<ReplicaState>, more: Partial<World> = {}): World => ({
      ...world,
      ...more,
      replicas: replicas.map((one, at) => (at === index ? { ...one, ...changes } : one)),
    });
    const { disk, agreed, agreedToken, at, fence, answer } = replica;
    if (at === "idle" && world.sent.length < renewals) {
      const asked = ask(protocol, engine, name, replica);
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
    if (world.crashesLeft > 0 && at !== "idle" && at !== "dead") {
      // What it has sent, and the engine has no successor of.
      const orphan = at === "granted" ? [] : [agreedToken];
      yield [
        `${name} is killed and starts again`,
        become(
          { at: "idle", fence: 0, answer: 0 },
          { crashesLeft: world.crashesLeft - 1, orphaned: [...world.orphaned, ...orphan] },
        ),
      ];
    }
  }
  const { turn } = engine;
  const holder = turn && replicas["ABC".indexOf(turn.replica)];
  // A live replica ends its turn long before the lease does.
  if (turn !== undefined && turn.untilMs > 0 && (holder?.at === "idle" || holder?.at === "dead"))
    yield ["the lease ends", { ...world, engine: { ...engine, turn: { ...turn, untilMs: 0 } } }];
}

/** The engine after the replica got the right to send its token; undefined if it did not. */
function ask(
  protocol: Protocol,
  engine: EngineState,
  name: string,
  { disk, agreed, agreedToken }: ReplicaState,
): EngineState | undefined {
  if (protocol === "no turns") return engine;
  const generation = protocol === "a lock" ? engine.generation : agreed;
  if (protocol !== "a lock" && disk !== agreedToken) return undefined; // it first sends what it has
  const request = { generation, replica: name, leaseMs: LEASE_MS, takesOver: true };
  const [after, answer] = begin(engine, request, 0);
  return answer.kind === "yours" ? after : undefined;
}

function withoutTurn({ turn: _turn, ...engine }: EngineState): EngineState {
  return engine;
}
