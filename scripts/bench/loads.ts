// The loads of rows (a) to (f), and the figures that each of them measures.

import type { LoadFigures, LoadSpec } from "./load/spec.ts";
import type { MeasuredLoad } from "./measure.ts";
import { LARGE_BYTES, PATHS } from "./protocol.ts";
import type { Subject } from "./subjects.ts";

const SHORT_TURNS = on({ kind: "requests", path: PATHS.turn, bodyBytes: 1_000, connections: 64 });

/** The loads by name. A name consists of the row and of a word that distinguishes the row's loads. */
export const LOADS: Readonly<Record<string, MeasuredLoad>> = {
  a: {
    spec: on({ kind: "requests", path: PATHS.small, bodyBytes: 350, connections: 64 }),
    operations: 12_000,
    warmUp: 12_000,
    figures: cpuAs("a.cpu", 10_000),
  },
  b: {
    spec: SHORT_TURNS,
    operations: 6_000,
    warmUp: 10_000,
    figures: cpuAs("b.cpu", 10_000),
  },
  c: {
    spec: on({ kind: "streams", streams: 100, everyMs: 10 }),
    operations: 20_000,
    warmUp: 20_000,
    precededBy: { spec: SHORT_TURNS, operations: 20_000 },
    figures: (cpuPer, load) => ({ "c.cpu": cpuPer(10_000), ...named("c", load) }),
  },
  d: {
    spec: on({ kind: "streams", streams: 1_000, everyMs: 100 }),
    operations: 20_000,
    warmUp: 5_000,
    precededBy: { spec: SHORT_TURNS, operations: 20_000 },
    figures: (cpuPer, load) => ({ "d.cpu": cpuPer(10_000), ...named("d", load) }),
  },
  e: {
    spec: on({ kind: "sockets", sockets: 32, exchange: "turn" }),
    operations: 8_000,
    warmUp: 10_000,
    figures: cpuAs("e.turn", 10_000),
  },
  "e.echo": {
    spec: on({ kind: "sockets", sockets: 32, exchange: "echo" }),
    operations: 40_000,
    warmUp: 20_000,
    figures: cpuAs("e.echo", 10_000),
  },
  "e.dial": {
    spec: on({ kind: "dials" }),
    operations: 500,
    warmUp: 500,
    figures: (cpuPer, load) => ({ "e.dial": cpuPer(10_000), ...named("e", load) }),
  },
  "f.up": {
    spec: on({ kind: "requests", path: PATHS.upload, bodyBytes: LARGE_BYTES, connections: 4 }),
    operations: 30,
    warmUp: 12,
    figures: cpuAs("f.up", 100),
  },
  "f.down": {
    spec: on({ kind: "requests", path: PATHS.download, bodyBytes: 350, connections: 4 }),
    operations: 30,
    warmUp: 12,
    figures: cpuAs("f.down", 100),
  },
};

/** The load with this name. Throws `Error`. */
export function loadNamed(name: string): MeasuredLoad {
  const load = LOADS[name];
  if (load === undefined) throw new Error(`${name} is not a load`);
  return load;
}

// --- internal ---

/** `Omit` for each member of a union. */
type WithoutTarget<Spec> = Spec extends LoadSpec ? Omit<Spec, "origin" | "headers"> : never;

function on(spec: WithoutTarget<LoadSpec>): MeasuredLoad["spec"] {
  return ({ origin, headers }: Subject) => ({ ...spec, origin, headers }) as LoadSpec;
}

function cpuAs(figure: string, operations: number): MeasuredLoad["figures"] {
  return (cpuPer) => ({ [figure]: cpuPer(operations) });
}

/** Prefixes the names of the load's figures with the row. */
function named(row: string, load: LoadFigures): Record<string, number> {
  return Object.fromEntries(Object.entries(load).map(([name, value]) => [`${row}.${name}`, value]));
}
