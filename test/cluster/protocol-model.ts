// The rules of scripts.ts and member-scripts.ts for one login, in TypeScript. protocol-search.ts tries every order of
// events under them.

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
    /** Which process has it, and whether that was connected then. */
    readonly processId: string;
    readonly wasHeard: boolean;
  };
  /** Which process each replica is, and when that polled, by replica. */
  readonly processes: Readonly<Record<string, { readonly processId: string; readonly seenMs: number }>>;
  /** The processes that are connected. */
  readonly heard: readonly string[];
}

export const NO_TURNS: EngineState = { generation: 0, value: 0, fence: 0, processes: {}, heard: [] };

/** How long a replica is the process that was seen last, ms. */
export const PLACE_MS = 15_000;

export interface PollRequest {
  readonly replica: string;
  readonly processId: string;
  readonly isFirst: boolean;
}

/** The script `poll`, at `atMs`: the engine afterwards, and whether another process is the replica. */
export function poll(
  engine: EngineState,
  { replica, processId, isFirst }: PollRequest,
  atMs: number,
): readonly [EngineState, boolean] {
  const known = engine.processes[replica];
  if (known !== undefined && known.processId !== processId && !isFirst && atMs < known.seenMs + PLACE_MS)
    return [engine, true];
  return [{ ...engine, processes: { ...engine.processes, [replica]: { processId, seenMs: atMs } } }, false];
}

/** The script `stop`. */
export function stop(engine: EngineState, replica: string, processId: string): EngineState {
  if (engine.processes[replica]?.processId !== processId) return engine;
  const { [replica]: _stopped, ...processes } = engine.processes;
  return { ...engine, processes };
}

export interface BeginRequest {
  readonly generation: number;
  readonly replica: string;
  readonly processId: string;
  readonly leaseMs: number;
  readonly takesOver: boolean;
}

export type BeginAnswer =
  | { readonly kind: "duplicate" }
  | { readonly kind: "changed" }
  | { readonly kind: "busy"; readonly replica: string }
  | { readonly kind: "dead"; readonly reason: string }
  | { readonly kind: "yours"; readonly fence: string; readonly lost: string };

/** The script `begin`, at `atMs`. */
export function begin(
  engine: EngineState,
  { generation, replica, processId, leaseMs, takesOver }: BeginRequest,
  atMs: number,
): readonly [EngineState, BeginAnswer] {
  if ((engine.processes[replica]?.processId ?? processId) !== processId)
    return [engine, { kind: "duplicate" }];
  if (engine.generation !== generation) return [engine, { kind: "changed" }];
  const { turn, heard } = engine;
  let lost = "";
  if (turn?.generation === generation) {
    if (turn.replica.startsWith("dead:")) return [engine, { kind: "dead", reason: turn.replica.slice(5) }];
    const isGone = turn.wasHeard && !heard.includes(turn.processId);
    const isOwn = turn.replica === replica && (turn.processId === processId || isGone);
    if (!isOwn && (atMs < turn.untilMs || !takesOver))
      return [engine, { kind: "busy", replica: turn.replica }];
    lost = turn.replica;
  }
  const fence = engine.fence + 1;
  const by = { replica, processId, wasHeard: heard.includes(processId) };
  const next = { ...engine, fence, turn: { generation, fence, untilMs: atMs + leaseMs, ...by } };
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
    turn: {
      ...{ generation: turn.generation, fence: 0, untilMs: 0, replica: `dead:${deadReason}` },
      ...{ processId: "", wasHeard: false },
    },
  };
}

// --- internal ---

function withoutTurn({ turn: _turn, ...engine }: EngineState): EngineState {
  return engine;
}
