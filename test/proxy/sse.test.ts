import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  blockBytes,
  blockData,
  blockName,
  changedBlock,
  createSseSplitter,
} from "../../src/proxy/http/sse.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Streams of events, comments, stray lines and line ends of both kinds. */
const streams = fc
  .array(
    fc.constantFrom(
      "event: a\n",
      "data: {}\n",
      "data:x\r\n",
      ": c\n",
      "\n",
      "\r\n",
      "\r",
      "x",
      "data",
      "\n\n",
      "é\n",
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));

/** The events of `stream` if it arrives in pieces that end at `cuts`. */
function split(stream: Uint8Array<ArrayBuffer>, cuts: readonly number[]): { blocks: string[]; rest: string } {
  const splitter = createSseSplitter();
  const places = [
    0,
    ...cuts.map((cut) => cut % (stream.byteLength + 1)).sort((a, b) => a - b),
    stream.byteLength,
  ];
  const blocks = places
    .slice(1)
    .flatMap((end, index) => [...splitter.push(stream.slice(places[index], end))])
    .map((block) => textOf(blockBytes(block)));
  return { blocks, rest: textOf(splitter.rest()) };
}

describe("splitting a stream into events", () => {
  test("returns the same events wherever the chunks end, and loses no byte", () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(), { maxLength: 12 }), (stream, cuts) => {
        const bytes = bytesOf(stream);
        const whole = split(bytes, []);
        expect(split(bytes, cuts)).toEqual(whole);
        expect(whole.blocks.join("") + whole.rest).toBe(stream);
        // Only the last line of an event is blank.
        for (const block of whole.blocks) expect(block).toMatch(/^(?:(?!\r?\n)[^\n]*\n)*\r?\n$/);
      }),
    );
  });

  test("reads an event's name and data", () => {
    const [first, second] = [
      ...createSseSplitter().push(
        bytesOf('event: response.created\ndata: {"a":1}\n\ndata: x\r\ndata:y\r\n\r\n'),
      ),
    ];
    expect([first && blockName(first), first && blockData(first)]).toEqual(["response.created", '{"a":1}']);
    expect([second && blockName(second), second && blockData(second)]).toEqual([undefined, "x\ny"]);
  });

  test("changes an event's data and keeps its name", () => {
    for (const [before, after] of [
      ['event: a\ndata: {"x":1}\n\n', 'event: a\ndata: {"y":2}\n\n'],
      ['data: {"x":1}\n\n', 'data: {"y":2}\n\n'],
    ] as const) {
      const [block] = [...createSseSplitter().push(bytesOf(before))];
      expect(block && textOf(blockBytes(changedBlock(block, '{"y":2}')))).toBe(after);
    }
  });

  test("forwards an endless event in pieces", () => {
    const splitter = createSseSplitter();
    const part = bytesOf("x".repeat(1024 * 1024));
    let passed = 0;
    for (let count = 0; count < 20; count++)
      for (const block of splitter.push(part)) {
        passed += block.end - block.start;
        expect([blockName(block), blockData(block)]).toEqual([undefined, undefined]);
      }
    expect(passed + splitter.rest().byteLength).toBe(20 * 1024 * 1024);
  });

  test("takes linear time", () => {
    const startedMs = performance.now();
    const splitter = createSseSplitter();
    const single = bytesOf("x");
    // Eight megabytes a byte at a time, and a megabyte of events of three bytes.
    for (let count = 0; count < 8 * 1024 * 1024; count++) splitter.push(single).next();
    let events = 0;
    for (const _ of createSseSplitter().push(bytesOf("a\n\n".repeat(350_000)))) events++;
    expect(events).toBe(350_000);
    // This takes a second or two on a busy machine; quadratic time would be an hour.
    expect(performance.now() - startedMs).toBeLessThan(30_000);
  });
});
