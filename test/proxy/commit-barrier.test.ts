// Tests the commit barrier, with one table of cases for both transports.

import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../src/core/verdict.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import type { Exchange } from "../../src/proxy/exchange.ts";
import { openTurn } from "../../src/proxy/http/open-turn.ts";
import { blockBytes } from "../../src/proxy/http/sse.ts";
import { HOLD_MS, MOST_HELD_EVENTS } from "../../src/proxy/turn/commit-barrier.ts";
import { createTurnReader, type TurnReader } from "../../src/proxy/turn/turn-reader.ts";
import { beginTurn } from "../../src/proxy/ws/begin-turn.ts";
import { createClosing } from "../../src/proxy/ws/closing.ts";
import type { SocketListener, UpstreamSocket } from "../../src/proxy/ws/upstream-socket.ts";
import type { Lease } from "../../src/upstream/leases.ts";
import { fakeClock } from "../support/clock.ts";

type Event = Readonly<Record<string, unknown>>;

const CREATED: Event = { type: "response.created" };
const OUTPUT: Event = { type: "response.output_text.delta", delta: "x" };
const COMPLETED: Event = { type: "response.completed" };
const LIMIT: Event = { type: "error", status: 429, error: { type: "usage_limit_reached" } };
const RATE_LIMITS: Event = { type: "codex.rate_limits", rate_limits: {} };
const TIMEOUTS = { connectMs: 1_000, headMs: 1_000, idleMs: 900_000 };

/** The events and the result after the barrier. */
interface Seen {
  readonly end: string;
  readonly held: readonly Event[];
  readonly credited: number;
}

interface Beginning {
  send(...events: Event[]): Promise<void>;
  /** The upstream ends the stream, or closes the socket. */
  close(): Promise<void>;
  readonly clock: ReturnType<typeof fakeClock>;
  readonly seen: Promise<Seen>;
}

/** A reader that is not connected to a pool, and how often it credited its account. */
function readerOf(clock: ReturnType<typeof fakeClock>) {
  const seen = { credited: 0 };
  const context = {
    deps: { clock, log: { info: () => {}, warn: () => {} } },
    pool: { usage: () => ({ main: undefined, additional: [] }) },
  } as unknown as ProxyContext;
  const exchange = { incoming: {}, served: () => void seen.credited++ } as unknown as Exchange;
  const limit: Verdict = { kind: "limit", untilMs: undefined };
  const lease = {
    upstream: { id: "a", judge: () => limit },
    learn: () => {},
    hold: () => {},
  } as unknown as Lease;
  return { seen, reader: createTurnReader(context, exchange, lease) };
}

const settled = async () => {
  for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
};

function overSse(timeouts = TIMEOUTS): Beginning {
  const clock = fakeClock();
  const { seen, reader } = readerOf(clock);
  let controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (given) => {
      controller = given;
    },
  });
  const opened = openTurn(stream, reader, clock, timeouts).then((result): Seen => {
    const held = result.kind === "broken" ? [] : result.turn.held.map(blockBytes);
    const events = held.map((bytes) => JSON.parse(new TextDecoder().decode(bytes).split("data: ")[1] ?? ""));
    return { end: result.kind, held: events, credited: seen.credited };
  });
  return {
    clock,
    seen: opened,
    send: (...events) => {
      for (const event of events)
        controller.enqueue(
          new TextEncoder().encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
        );
      return settled();
    },
    close: () => {
      controller.close();
      return settled();
    },
  };
}

function overWebSocket(timeouts = TIMEOUTS): Beginning {
  const clock = fakeClock();
  const { seen, reader } = readerOf(clock);
  let listener: SocketListener | undefined;
  const socket = {
    send: () => true,
    listen: (to: SocketListener | undefined) => {
      listener = to;
    },
  } as unknown as UpstreamSocket;
  const options = { clock, timeouts, patienceMs: (ms: number) => ms, closing: createClosing() };
  const begun = beginTurn(socket, "{}", reader, options).then((result): Seen => {
    const held = result.kind === "begun" ? result.held : result.kind === "failed" ? [result.event] : [];
    return { end: result.kind, held: held.map((text) => JSON.parse(text)), credited: seen.credited };
  });
  return {
    clock,
    seen: begun,
    send: (...events) => {
      for (const event of events) listener?.message(JSON.stringify(event));
      return settled();
    },
    close: () => {
      listener?.closed(1006, "");
      return settled();
    },
  };
}

describe.each([
  ["SSE", overSse],
  ["WebSocket", overWebSocket],
])("the commit barrier over %s", (_name, begin) => {
  test("opens at the first output, with all events before it, and credits the account", async () => {
    const { send, seen } = begin();
    await send(CREATED);
    await send(OUTPUT);
    expect(await seen).toEqual({ end: "begun", held: [CREATED, OUTPUT], credited: 1 });
  });

  test("opens at the end of a turn without output", async () => {
    const { send, seen } = begin();
    await send(CREATED);
    await send(COMPLETED);
    expect(await seen).toEqual({ end: "begun", held: [CREATED, COMPLETED], credited: 1 });
  });

  test("opens at an unknown event", async () => {
    const { send, seen } = begin();
    await send({ type: "new" });
    expect((await seen).held).toEqual([{ type: "new" }]);
  });

  test("holds back events about limits", async () => {
    const { send, seen } = begin();
    await send(RATE_LIMITS);
    await send(OUTPUT);
    expect((await seen).held.map(({ type }) => type)).toEqual(["codex.rate_limits", OUTPUT.type]);
  });

  test("opens after ten seconds, without crediting an account", async () => {
    const { send, seen, clock } = begin();
    await send(CREATED);
    clock.advance(HOLD_MS);
    expect(await seen).toEqual({ end: "begun", held: [CREATED], credited: 0 });
  });

  test("opens when a megabyte is held back", async () => {
    const { send, seen } = begin();
    await send({ ...CREATED, instructions: "x".repeat(1024 * 1024) });
    expect((await seen).end).toBe("begun");
  });

  test("opens when many events are held back", async () => {
    const { send, seen } = begin();
    await send(...Array.from({ length: MOST_HELD_EVENTS + 10 }, () => CREATED));
    expect((await seen).held.length).toBe(MOST_HELD_EVENTS);
  });

  test("returns a failure that arrives before output", async () => {
    const { send, seen } = begin();
    await send(CREATED);
    await send(LIMIT);
    expect(await seen).toMatchObject({ end: "failed", credited: 0 });
  });

  test("reports a turn that ends before its first output as broken", async () => {
    const { send, close, seen } = begin();
    await send(CREATED);
    await close();
    expect((await seen).end).toBe("broken");
  });

  test("reports a silence longer than idle_timeout_seconds as broken", async () => {
    const { send, seen, clock } = begin({ ...TIMEOUTS, idleMs: 1_000 });
    await send(CREATED);
    clock.advance(1_000);
    expect((await seen).end).toBe("broken");
  });
});

describe("the commit barrier over SSE", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const sse = (event: Event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

  /** Opens a turn whose body consists of `chunks`. */
  function open(...chunks: string[]) {
    const clock = fakeClock();
    const { reader, seen } = readerOf(clock);
    let controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (given) => {
        controller = given;
        for (const chunk of chunks) given.enqueue(bytes(chunk));
      },
    });
    const opened = openTurn(stream, reader, clock, TIMEOUTS);
    return { opened, clock, seen, push: (text: string) => controller.enqueue(bytes(text)) };
  }

  test("returns a failure in the chunk of the first output, without crediting an account", async () => {
    const { opened, seen } = open(sse(OUTPUT) + sse(LIMIT));
    expect([(await opened).kind, seen.credited]).toEqual(["failed", 0]);
  });

  test("counts a comment neither as output nor as failure", async () => {
    const { opened } = open(": keep-alive\n\n", sse(OUTPUT));
    const result = await opened;
    expect(result.kind === "begun" && result.turn.held.length).toBe(2);
  });

  test("leaves the rest of a chunk unread when its events reach the bound", async () => {
    const result = await open(": a\n\n".repeat(MOST_HELD_EVENTS + 10)).opened;
    if (result.kind !== "begun") throw new Error(result.kind);
    expect([result.turn.held.length, [...result.turn.unread].length]).toEqual([MOST_HELD_EVENTS, 10]);
  });

  test("loses nothing that arrives after it has opened by time", async () => {
    const { opened, clock, push } = open(sse(CREATED));
    await settled();
    clock.advance(HOLD_MS);
    const result = await opened;
    push(sse(OUTPUT));
    const next = result.kind === "begun" ? await result.turn.pendingRead : undefined;
    expect(next?.done).toBe(false);
  });
});

test("a reader credits the account at the first output after a bound", () => {
  const { reader, seen } = readerOf(fakeClock());
  const read = (event: Event): ReturnType<TurnReader["read"]> =>
    reader.read(undefined, () => JSON.stringify(event));
  reader.commit("bound");
  read(CREATED);
  expect([seen.credited, reader.isUnfinished()]).toEqual([0, true]);
  read(OUTPUT);
  read(OUTPUT);
  expect(seen.credited).toBe(1);
  read(COMPLETED);
  expect(reader.isUnfinished()).toBe(false);
});
