import { describe, expect, test } from "bun:test";
import { HOLD_LIMIT_EVENTS, HOLD_MS, hold } from "../../src/proxy/hold.ts";
import { blockBytes } from "../../src/proxy/sse.ts";
import { fakeClock } from "../support/clock.ts";

const sse = (event: Record<string, unknown>) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const IDLE = { ms: 900_000, why: "silence" };
const CREATED = sse({ type: "response.created" });
const OUTPUT = sse({ type: "response.output_text.delta", delta: "x" });

/** A stream whose chunks the test pushes. */
function source() {
  let controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (given) => {
      controller = given;
    },
  });
  return {
    stream,
    push: (text: string) => controller.enqueue(new TextEncoder().encode(text)),
    close: () => controller.close(),
  };
}

describe("the commit barrier", () => {
  test("opens at the first output, with all that came before", async () => {
    const { stream, push } = source();
    const held = hold(stream, fakeClock(), IDLE);
    push(CREATED);
    push(OUTPUT.slice(0, 10));
    push(OUTPUT.slice(10));
    const { end, held: blocks } = await held;
    expect(end.kind).toBe("commit");
    expect(blocks.map((block) => new TextDecoder().decode(blockBytes(block))).join("")).toBe(
      CREATED + OUTPUT,
    );
  });

  test("opens by itself after ten seconds, and loses nothing of what comes later", async () => {
    const clock = fakeClock();
    const { stream, push } = source();
    const held = hold(stream, clock, IDLE);
    push(CREATED);
    await Promise.resolve();
    clock.advance(HOLD_MS);
    const opened = await held;
    expect(opened.end.kind).toBe("commit");
    push(OUTPUT);
    const next = await opened.pendingRead;
    expect(next?.done).toBe(false);
  });

  test("opens when a megabyte is held", async () => {
    const { stream, push } = source();
    const held = hold(stream, fakeClock(), IDLE);
    push(sse({ type: "response.created", instructions: "x".repeat(1024 * 1024) }));
    expect((await held).end.kind).toBe("commit");
  });

  test("opens when many events are held, and leaves the rest of their chunk unread", async () => {
    const { stream, push } = source();
    const held = hold(stream, fakeClock(), IDLE);
    push(": a\n\n".repeat(HOLD_LIMIT_EVENTS + 10));
    const opened = await held;
    expect(opened.end).toEqual({ kind: "commit", by: "bound" });
    expect([opened.held.length, [...opened.unread].length]).toEqual([HOLD_LIMIT_EVENTS, 10]);
  });

  test("says that the stream broke when it ended before output", async () => {
    const { stream, push, close } = source();
    const held = hold(stream, fakeClock(), IDLE);
    push(CREATED);
    close();
    expect((await held).end).toEqual({ kind: "broken", why: "the answer ended before it had begun" });
  });

  test("gives the failure when one comes first", async () => {
    const { stream, push } = source();
    const held = hold(stream, fakeClock(), IDLE);
    push(CREATED + sse({ type: "error", status: 429, error: { type: "usage_limit_reached" } }));
    expect((await held).end).toMatchObject({
      kind: "failed",
      failure: { code: "usage_limit_reached", status: 429 },
    });
  });

  test("counts a comment neither as output nor as failure", async () => {
    const { stream, push } = source();
    const held = hold(stream, fakeClock(), IDLE);
    push(": keep-alive\n\n");
    push(OUTPUT);
    expect((await held).held.length).toBe(2);
  });
});
