// The records of turns and switches that a replica sends at a time, as a text that can be sealed.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { z } from "zod";
import type { MovedTurn } from "../core/pool-facts.ts";
import { CLIENT_TURN_KINDS, TURN_OUTCOMES, type TurnSwitch } from "../core/turn-record.ts";
import { WINDOW_KINDS } from "../core/windows.ts";
import type { OutgoingRecord } from "../state/usage/turn-exchange.ts";
import type { ReceivedTurn } from "../state/usage/usage-store.ts";

/** What a batch has for a replica that does not have it yet. */
export interface Batch {
  /** The name of the replica that sent it. */
  readonly replica: string;
  /** The number of the record before the first one. */
  readonly after: number;
  readonly turns: readonly ReceivedTurn[];
  readonly moved: readonly MovedTurn[];
  /** How many records a later version of codexlb wrote in a way that this one does not understand. */
  readonly unknown: number;
}

/** The text of `records`, which follow the one with the number `after`. */
export function batchText(replica: string, after: number, records: readonly OutgoingRecord[]): string {
  const list = records.flatMap(({ sequence, turn, moved }) => {
    if (turn !== null) return [[sequence, "turn", turn]];
    return moved === null ? [] : [[sequence, "moved", JSON.parse(moved)]];
  });
  return deflateRawSync(JSON.stringify({ replica, after, records: list })).toString("base64");
}

/** The records in `text` with numbers above `sequence`; undefined if this version does not understand the text. */
export function batchIn(text: string, sequence: number): Batch | undefined {
  const content = Content.safeParse(parsed(text)).data;
  if (content === undefined) return undefined;
  const turns: ReceivedTurn[] = [];
  const moved: MovedTurn[] = [];
  let unknown = 0;
  for (const [number, kind, value] of content.records) {
    if (number <= sequence) continue;
    const turn = kind === "turn" ? TurnFields.safeParse(value).data : undefined;
    const one = kind === "moved" ? Moved.safeParse(value).data : undefined;
    if (turn !== undefined) turns.push(turnOf(turn));
    else if (one !== undefined) moved.push(movedOf(one, content.replica));
    else unknown++;
  }
  return { replica: content.replica, after: content.after, turns, moved, unknown };
}

/** A switch as it is kept in the outbox. */
export function movedText({ atMs, from, to, reason, window, session }: MovedTurn): string {
  return JSON.stringify({ atMs, from, to, reason, window, session });
}

// --- internal ---

/** A batch is usually below 100 KB, and below 1 MB with the longest texts. */
const MOST_BYTES = 4 * 1024 * 1024;

const Content = z.object({
  replica: z.string(),
  after: z.number(),
  records: z.array(z.tuple([z.number(), z.string(), z.unknown()])),
});

const text = z.string().nullish();
const count = z.number().nullish();

/** The columns of the view `turns`. Later versions may add others. */
const TurnFields = z.object({
  started_ms: z.number(),
  kind: z.enum([...CLIENT_TURN_KINDS, "anchor"]),
  transport: z.enum(["sse", "websocket"]),
  outcome: z.enum(TURN_OUTCOMES),
  code: text,
  account: text,
  identity: text,
  proxy: text,
  choice: text,
  session: text,
  requested_model: text,
  served_model: text,
  input_tokens: count,
  cached_tokens: count,
  output_tokens: count,
  reasoning_tokens: count,
  first_output_ms: count,
  duration_ms: z.number(),
  attempts: z.number(),
  switches: text,
  client: text,
  run: text,
  project: text,
});

const Moved = z.object({
  atMs: z.number(),
  from: z.string(),
  to: z.string(),
  reason: z.string(),
  window: z.enum(WINDOW_KINDS).optional(),
  session: z.string().optional(),
});

const Switches = z.array(z.object({ from: z.string(), to: z.string(), reason: z.string() }));

function parsed(text: string): unknown {
  try {
    const bytes = inflateRawSync(Buffer.from(text, "base64"), { maxOutputLength: MOST_BYTES });
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

function turnOf(row: z.output<typeof TurnFields>): ReceivedTurn {
  const { started_ms, kind, transport, outcome, duration_ms, attempts } = row;
  return {
    startedMs: started_ms,
    kind,
    transport,
    outcome,
    code: row.code ?? undefined,
    // The account may have another id here, and the hash of its identity is known.
    accountId: undefined,
    accountAlias: row.account ?? undefined,
    identity: row.identity ?? undefined,
    proxy: row.proxy ?? undefined,
    choice: row.choice ?? undefined,
    session: row.session ?? undefined,
    requestedModel: row.requested_model ?? undefined,
    servedModel: row.served_model ?? undefined,
    tokens:
      row.output_tokens == null
        ? undefined
        : {
            input: row.input_tokens ?? 0,
            cachedInput: row.cached_tokens ?? 0,
            output: row.output_tokens,
            reasoning: row.reasoning_tokens ?? 0,
          },
    firstOutputMs: row.first_output_ms ?? undefined,
    durationMs: duration_ms,
    attempts,
    switches: switchesIn(row.switches ?? "[]"),
    client: row.client ?? undefined,
    run: row.run ?? undefined,
    project: row.project ?? undefined,
  };
}

function movedOf({ window, session, ...one }: z.output<typeof Moved>, replica: string): MovedTurn {
  return {
    ...one,
    ...(window === undefined ? {} : { window }),
    ...(session === undefined ? {} : { session }),
    replica,
  };
}

/** None if the text was too long for its column, and cut. */
function switchesIn(text: string): TurnSwitch[] {
  try {
    return Switches.parse(JSON.parse(text));
  } catch {
    return [];
  }
}
