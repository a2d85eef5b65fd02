import { describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openEventLog } from "../../src/state/events.ts";
import { lastLinesWith, readLogLines } from "../../src/state/log-parts.ts";
import { fakeClock } from "../support/clock.ts";
import { hostile, unprintableIn } from "../support/hostile-text.ts";
import { tempDirectory } from "../support/temp.ts";

function logIn(limits?: { fileBytes: number; fullFiles: number }) {
  const temp = tempDirectory();
  const path = join(temp.path, "logs", "proxy.current.jsonl");
  const clock = fakeClock();
  const said: string[] = [];
  const events = openEventLog(
    path,
    { clock, log: { info: (message) => said.push(message), warn: (message) => said.push(message) } },
    limits === undefined ? {} : { limits },
  );
  let count = 0;
  return {
    path,
    events,
    clock,
    /** What it printed. */
    said,
    /** Writes numbered lines. */
    add: (lines: number) => {
      for (let line = 0; line < lines; line++) {
        events.append("test", { n: ++count });
        events.flush();
      }
    },
    files: () => readdirSync(join(temp.path, "logs")).sort(),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

const ALL = { tail: 100_000, limit: 100_000 };
const numbers = (text: string) =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { fields: { n: number } }).fields.n);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

const lastEvent = (path: string) => {
  const { event, fields } = JSON.parse(readLogLines(path, { ...ALL, tail: 1 }).text) as {
    event: string;
    fields: object;
  };
  return { event, fields };
};

describe("the event log", () => {
  test("is written in lines a moment later, and only the owner can read it", () => {
    using log = logIn();
    log.events.append("proxy.started", { b: 2, a: "x", none: undefined });
    log.events.append("plain");
    expect(readLogLines(log.path, ALL).text).toBe("");
    log.clock.advance(100);
    expect(readLogLines(log.path, ALL).text).toBe(
      '{"ts":"2026-01-01T00:00:00.000Z","event":"proxy.started","fields":{"a":"x","b":2}}\n' +
        '{"ts":"2026-01-01T00:00:00.000Z","event":"plain"}\n',
    );
    expect(statSync(log.path).mode & 0o777).toBe(0o600);
  });

  test("writes numbers and booleans as JSON", () => {
    using log = logIn();
    const fields = { a: 0, b: -1.5, c: 1e21, d: true, e: false, f: Number.NaN, g: Number.POSITIVE_INFINITY };
    log.events.append("test", fields);
    log.events.flush();
    expect(readLogLines(log.path, ALL).text).toEndWith(`"fields":${JSON.stringify(fields)}}\n`);
  });

  test("cuts long texts, and contains nothing that controls a terminal", () => {
    using log = logIn();
    log.events.append("account.auth_refresh_failed", { error: `${hostile("evil")}${"x".repeat(1_000_000)}` });
    log.events.flush();
    const { text } = readLogLines(log.path, ALL);
    expect(text.length).toBeLessThan(3_000);
    expect(unprintableIn(text, "\n")).toEqual([]);
    expect(text.split("\n").length).toBe(2);
    expect(JSON.parse(text).fields.error).toStartWith(hostile("evil"));
  });

  test("keeps the newest lines in a bounded number of bounded files", () => {
    using log = logIn({ fileBytes: 1_000, fullFiles: 3 });
    log.add(200);
    expect(log.files().length).toBe(4);
    for (const name of log.files())
      expect(statSync(join(log.path, "..", name)).size).toBeLessThanOrEqual(1_000);
    const kept = numbers(readLogLines(log.path, ALL).text);
    expect(kept).toEqual(range(200 - kept.length + 1, 200));
    expect(kept.length).toBeGreaterThan(40);
  });

  test("bounds the length of texts from other parties", () => {
    using log = logIn();
    log.events.append("test", { error: "x".repeat(100_000) });
    log.events.flush();
    expect(readLogLines(log.path, ALL).text.length).toBeLessThan(3_000);
  });

  test("continues a file of the Go program of any size", () => {
    using log = logIn({ fileBytes: 1_000, fullFiles: 3 });
    writeFileSync(log.path, `${JSON.stringify({ fields: { n: 0 } })}\n`.repeat(500));
    const { nextOffset } = readLogLines(log.path, ALL);
    log.add(3);
    expect(numbers(readLogLines(log.path, { ...ALL, offset: nextOffset }).text)).toEqual([1, 2, 3]);
  });
});

describe("an event log that cannot be written", () => {
  const blocked = () => {
    const log = logIn();
    mkdirSync(log.path);
    return { ...log, unblock: () => rmdirSync(log.path), [Symbol.dispose]: () => log[Symbol.dispose]() };
  };

  test("keeps its events, and writes them in order when it can, without a further event", () => {
    using log = blocked();
    log.add(500);
    expect(log.events.backlog()).toEqual({ oldestMs: expect.any(Number), dropped: 0 });
    log.unblock();
    log.clock.advance(1_000);
    expect(numbers(readLogLines(log.path, ALL).text)).toEqual(range(1, 500));
    log.clock.advance(1_000);
    expect(lastEvent(log.path)).toEqual({ event: "log.write_resumed", fields: { dropped: 0 } });
    expect(log.said).toEqual([
      expect.stringContaining("codexlb keeps up to 5000 events"),
      `the event log ${log.path} can be written again; events lost: 0`,
    ]);
  });

  test("drops the newest events beyond its bound, and says how many", () => {
    using log = blocked();
    for (let n = 1; n <= 5_010; n++) log.events.append("test", { n });
    log.clock.advance(10_000);
    expect(log.events.backlog().dropped).toBe(10);
    log.unblock();
    log.clock.advance(1_000);
    expect(numbers(readLogLines(log.path, ALL).text)).toEqual(range(1, 5_000));
    log.clock.advance(1_000);
    expect(lastEvent(log.path)).toEqual({ event: "log.write_resumed", fields: { dropped: 10 } });
    expect(log.events.backlog()).toEqual({ oldestMs: undefined, dropped: 10 });
  });
});

describe("reading the event log", () => {
  test("finds the last lines with a text in all files, within the bounds", () => {
    using log = logIn({ fileBytes: 200_000, fullFiles: 4 });
    const text = "x".repeat(1_990);
    for (let n = 1; n <= 200; n++) {
      log.events.append(n % 50 === 0 ? "wanted" : "test", { n, text });
      log.events.flush();
    }
    expect(log.files()).toHaveLength(3);
    const found = (text: string, most: number, mostBytes: number) =>
      numbers(
        lastLinesWith(log.path, text, { most, mostBytes })
          .map((line) => `${line}\n`)
          .join(""),
      );
    const wanted = '"event":"wanted"';
    expect(found(wanted, 100, 1_000_000)).toEqual([50, 100, 150, 200]);
    expect(found(wanted, 2, 1_000_000)).toEqual([150, 200]);
    expect(found(wanted, 100, 110_000)).toEqual([150, 200]);
    expect(found('"n":', 1_000, 1_000_000)).toEqual(range(1, 200));
  });

  test("by offset misses no line and repeats none while files change", () => {
    using log = logIn({ fileBytes: 2_000, fullFiles: 4 });
    const seen: number[] = [];
    let offset = 0;
    for (let round = 0; round < 30; round++) {
      log.add(7);
      for (;;) {
        const lines = readLogLines(log.path, { offset, tail: 1, limit: 3 });
        offset = lines.nextOffset;
        if (lines.text === "") break;
        seen.push(...numbers(lines.text));
      }
    }
    expect(seen).toEqual(range(1, 210));
    expect(log.files().length).toBe(5);
  });

  test("from an offset that no longer exists begins with the oldest line, and from beyond the end with the next line", () => {
    using log = logIn({ fileBytes: 500, fullFiles: 1 });
    log.add(50);
    const oldest = numbers(readLogLines(log.path, ALL).text)[0];
    expect(numbers(readLogLines(log.path, { ...ALL, offset: 0 }).text)[0]).toBe(oldest!);
    const beyond = readLogLines(log.path, { ...ALL, offset: 10_000_000 });
    expect(beyond.text).toBe("");
    log.add(1);
    expect(numbers(readLogLines(log.path, { ...ALL, offset: beyond.nextOffset }).text)).toEqual([51]);
  });

  test("from the middle of a line begins with the next one", () => {
    using log = logIn({ fileBytes: 1_000, fullFiles: 10 });
    log.add(40);
    const first = Buffer.byteLength(readLogLines(log.path, { tail: 1, limit: 1, offset: 0 }).text);
    for (const offset of [1, first - 1, first])
      expect(numbers(readLogLines(log.path, { tail: 1, limit: 2, offset }).text)).toEqual([2, 3]);
  });

  test("returns the last lines, also from several files, and never more than the limit", () => {
    using log = logIn({ fileBytes: 1_000, fullFiles: 10 });
    log.add(60);
    for (const tail of [1, 5, 20, 60, 61])
      expect(numbers(readLogLines(log.path, { tail, limit: 1_000 }).text)).toEqual(
        range(Math.max(1, 60 - tail + 1), 60),
      );
    expect(numbers(readLogLines(log.path, { tail: 50, limit: 2 }).text)).toEqual([59, 60]);
  });

  test("returns complete lines only", () => {
    using log = logIn();
    log.add(2);
    appendFileSync(log.path, '{"fields":{"n":3');
    for (const query of [ALL, { ...ALL, offset: 0 }]) {
      const lines = readLogLines(log.path, query);
      expect(numbers(lines.text)).toEqual([1, 2]);
      expect(lines.nextOffset).toBe(Buffer.byteLength(lines.text));
    }
    const { nextOffset } = readLogLines(log.path, ALL);
    appendFileSync(log.path, "}}\n");
    expect(numbers(readLogLines(log.path, { ...ALL, offset: nextOffset }).text)).toEqual([3]);
  });

  test("reads blocks, and returns bounded parts", () => {
    using log = logIn();
    const line = `${JSON.stringify({ fields: { n: 1 }, filler: "x".repeat(1_000) })}\n`;
    writeFileSync(log.path, line.repeat(20_000));
    const last = readLogLines(log.path, { tail: 3, limit: 3 });
    expect(last.text).toBe(line.repeat(3));
    expect(last.nextOffset).toBe(line.length * 20_000);
    const piece = readLogLines(log.path, { ...ALL, offset: 0 });
    expect(piece.text.length).toBeLessThan(5 * 1024 * 1024);
    expect(piece.text.length % line.length).toBe(0);
    expect(readLogLines(log.path, ALL).text.startsWith('{"fields"')).toBe(true);
  });

  test("skips text without a line end", () => {
    using log = logIn();
    writeFileSync(log.path, `${"x".repeat(200_000)}\n`);
    log.add(1);
    const { text } = readLogLines(log.path, { ...ALL, offset: 0 });
    expect(text.endsWith('"fields":{"n":1}}\n')).toBe(true);
  });

  test("returns nothing if there is no log yet", () => {
    using log = logIn();
    rmSync(join(log.path, ".."), { recursive: true });
    expect(readLogLines(log.path, ALL)).toEqual({ text: "", nextOffset: 0 });
    expect(readLogLines(log.path, { ...ALL, offset: 5 })).toEqual({ text: "", nextOffset: 0 });
  });
});

test("events wait until they are written", () => {
  using log = logIn();
  expect(log.events.backlog()).toEqual({ oldestMs: undefined, dropped: 0 });
  const startMs = log.clock.now();
  log.events.append("test");
  log.clock.advance(50);
  log.events.append("test");
  expect(log.events.backlog()).toEqual({ oldestMs: startMs, dropped: 0 });
  log.clock.advance(50);
  expect(log.events.backlog()).toEqual({ oldestMs: undefined, dropped: 0 });
});

test("a directory that was removed is created again", () => {
  using log = logIn();
  log.add(1);
  rmSync(dirname(log.path), { recursive: true });
  log.add(3);
  expect(numbers(readLogLines(log.path, ALL).text)).toEqual([2, 3, 4]);
});
