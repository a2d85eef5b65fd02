// The figures of the benchmark, and their bounds.

import { USAGE_GROUPINGS } from "../../src/core/usage-report.ts";

/** The measured programs: codexlb, and those that it is compared with in the same run. */
export type SubjectName =
  | "codexlb"
  /** An older executable. */
  | "baseline"
  | "floor"
  | "nginx"
  /** Another program with the same command line. */
  | "peer"
  /** The backend without a proxy. */
  | "direct"
  /** The subject that the figure's title names: fewer accounts, one hop, a program that only prints a line. */
  | "reference";

export type RowName = "a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "j" | "k" | "l" | "m" | "n";

/** An upper bound, inclusive. */
export type Bound =
  | { readonly kind: "times"; readonly of: SubjectName; readonly factor: number }
  | { readonly kind: "plus"; readonly of: SubjectName; readonly more: number }
  | { readonly kind: "most"; readonly value: number };

export interface Figure {
  readonly id: string;
  readonly row: RowName;
  readonly title: string;
  readonly unit: "CPU-s" | "ms" | "KiB" | "MiB" | "commands";
  readonly digits: number;
  /** The required bound. A figure without it is for information only. */
  readonly must?: Bound;
  readonly stretch?: Bound;
}

/** How many turns a year has in row (m). */
export const YEAR_TURNS = 500_000;

const times = (factor: number, of: SubjectName = "floor"): Bound => ({ kind: "times", of, factor });
const plus = (more: number, of: SubjectName = "floor"): Bound => ({ kind: "plus", of, more });
const most = (value: number): Bound => ({ kind: "most", value });

function cpu(id: string, title: string, bounds: Pick<Figure, "must" | "stretch"> = {}): Figure {
  return { id, row: rowOf(id), title, unit: "CPU-s", digits: 2, ...bounds };
}

function ms(id: string, title: string, bounds: Pick<Figure, "must" | "stretch"> = {}): Figure {
  return { id, row: rowOf(id), title, unit: "ms", digits: 2, ...bounds };
}

export const FIGURES: readonly Figure[] = [
  cpu("a.cpu", "10,000 small POSTs, 64 connections", { must: times(2), stretch: times(1.6) }),
  cpu("b.cpu", "10,000 short SSE turns, 64 connections", { must: times(2), stretch: times(1.6) }),
  cpu("c.cpu", "10,000 events, 100 streams, 10 ms", { must: times(1.6), stretch: times(1.35) }),
  ms("c.delayP50", "delay of an event, p50", { must: plus(0.1) }),
  ms("c.delayP99", "delay of an event, p99", { must: plus(1.5) }),
  ms("c.gapP50", "gap between two events of a stream, p50"),
  ms("c.gapP99", "gap between two events of a stream, p99"),
  ms("c.firstP50", "first event when 100 streams start at once, p50", {
    must: times(2),
    stretch: times(1.5),
  }),
  ms("c.firstP99", "first event when 100 streams start at once, p99"),
  cpu("d.cpu", "10,000 events, 1,000 streams, 100 ms"),
  ms("d.delayP50", "delay of an event, p50"),
  ms("d.delayP99", "delay of an event, p99"),
  ms("d.firstP50", "first event when 1,000 streams start at once, p50"),
  ms("d.firstP99", "first event when 1,000 streams start at once, p99"),
  cpu("e.turn", "10,000 WebSocket turns of 13 messages, 32 open sockets", { must: times(0.6, "baseline") }),
  cpu("e.dial", "10,000 new WebSockets with one turn"),
  ms("e.dialP50", "new WebSocket to the first message of a turn, p50"),
  ms("e.dialP99", "new WebSocket to the first message of a turn, p99"),
  cpu("e.echo", "10,000 other messages and their echoes, 32 open sockets"),
  cpu("f.up", "100 request bodies of 10 MiB, 4 connections"),
  cpu("f.down", "100 response bodies of 10 MiB, 4 connections"),
  { id: "g.idle", row: "g", title: "resident memory when idle", unit: "MiB", digits: 1, must: most(50) },
  {
    id: "g.socket",
    row: "g",
    title: "per idle WebSocket, of 3,000",
    unit: "KiB",
    digits: 1,
    must: times(1.25),
  },
  {
    id: "g.stream",
    row: "g",
    title: "per silent stream, of 3,000",
    unit: "KiB",
    digits: 1,
    must: times(1.25),
  },
  cpu("h.kept", "10,000 SSE turns of known sessions, 1,000 accounts (reference: 2)", {
    must: times(1.1, "reference"),
  }),
  cpu("h.fresh", "10,000 SSE turns of new sessions, 1,000 accounts (reference: 2)", {
    must: times(1.1, "reference"),
  }),
  cpu("i.second", "10,000 SSE turns, added by a second hop (reference: the first)", {
    must: times(1, "reference"),
  }),
  cpu("i.third", "10,000 SSE turns, added by a third hop (reference: the first)", {
    must: times(1, "reference"),
  }),
  ms("j.version", "`--version` (reference: a program that prints a line)", { must: times(1.3, "reference") }),
  ms("j.status", "`status --short` (reference: a program that prints a line)", {
    must: times(1.3, "reference"),
  }),
  ms("j.answer", "from the start of the proxy to its first response"),
  ms("k.failoverP50", "from an account's 429 to the first byte from the next, p50", { must: most(2) }),
  ms("k.failoverP99", "from an account's 429 to the first byte from the next, p99"),
  cpu("l.sse", "10,000 short SSE turns (reference: without the record of turns)", {
    must: times(1.05, "reference"),
  }),
  cpu("l.websocket", "10,000 WebSocket turns of 13 messages (reference: without the record of turns)", {
    must: times(1.05, "reference"),
  }),
  ...USAGE_GROUPINGS.map((by) =>
    ms(`m.${by}`, `\`usage --by ${by}\` of a year with ${YEAR_TURNS.toLocaleString("en")} turns`, {
      must: most(200),
    }),
  ),
  cpu("n.cpu", "10,000 short SSE turns as one of two replicas (reference: alone)", {
    must: times(1.1, "reference"),
  }),
  {
    id: "n.commands",
    row: "n",
    title: "sent to the engine by two replicas during 1,000 short SSE turns",
    unit: "commands",
    digits: 1,
    must: most(50),
  },
  ms("n.signalP50", "a cooldown reaches another replica, p50"),
  ms("n.signalP99", "a cooldown reaches another replica, p99"),
];

// --- internal ---

function rowOf(id: string): RowName {
  return id.split(".")[0] as RowName;
}
