import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { elementsOf, JSON_BOUNDS, membersOf, parseJson, stringFields, textAt } from "../../src/core/json.ts";

/** Any JSON document, with odd strings, as text with random white space. */
const spaced = fc
  .tuple(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, "\t", 4))
  .map(([value, indent]) => ({ value, text: ` \n${JSON.stringify(value, undefined, indent)}\r ` }));

describe("parseJson", () => {
  test("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(spaced, ({ text }) => {
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("returns undefined for text that is not JSON, and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expected = undefined;
        }
        expect(parseJson(text)).toEqual(expected);
      }),
    );
  });

  test("does not parse text that is too deep, too large or has too many values", () => {
    const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJson(deep(JSON_BOUNDS.depth))).toBeDefined();
    expect(parseJson(deep(JSON_BOUNDS.depth + 1))).toBeUndefined();
    expect(parseJson(`[${"0,".repeat(JSON_BOUNDS.values)}0]`)).toBeUndefined();
    expect(parseJson(`"${"x".repeat(JSON_BOUNDS.chars)}"`)).toBeUndefined();
    // Brackets and commas within strings do not count.
    expect(parseJson(JSON.stringify("[{,".repeat(JSON_BOUNDS.values)))).toBeString();
  });
});

describe("the scanner", () => {
  test("finds the members and elements that JSON.parse finds", () => {
    fc.assert(
      fc.property(spaced, ({ value, text }) => {
        const members = [...membersOf(text)].map(
          ({ name, start, end }) => [name, JSON.parse(text.slice(start, end))] as const,
        );
        const elements = [...elementsOf(text)].map(({ start, end }) => JSON.parse(text.slice(start, end)));
        const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
        // An object may have a member called __proto__; entries are compared, so that it is compared like any other.
        expect(members).toEqual(isObject ? Object.entries(JSON.parse(text) as object) : []);
        expect(elements).toEqual(Array.isArray(value) ? JSON.parse(text) : []);
      }),
    );
  });

  test("terminates on any text, and returns ordered spans within it", () => {
    const jsonish = fc.array(fc.constantFrom(...'[]{},:"\\ \nab01tf'.split("")), { maxLength: 60 });
    fc.assert(
      fc.property(jsonish, (parts) => {
        const text = parts.join("");
        for (const spans of [[...membersOf(text)], [...elementsOf(text)]]) {
          let last = 0;
          for (const { start, end } of spans) {
            expect(start).toBeGreaterThanOrEqual(last);
            expect(end).toBeGreaterThanOrEqual(start);
            expect(end).toBeLessThanOrEqual(text.length);
            last = end;
          }
        }
      }),
    );
  });

  test("returns the last of two members with the same name, and only strings", () => {
    const fields = (text: string) => stringFields(text, ["a", "b"]);
    expect(fields('{"a":"1","a":"2"}')).toEqual({ a: "2" });
    expect(fields('{"a":"1","a":2}')).toEqual({});
    expect(fields('{"\\u0061":"x\\n","b":{"a":"inner"}}')).toEqual({ a: "x\n" });
    expect(fields(`{"a":"${"x".repeat(5_000)}","b":"y"}`)).toEqual({ b: "y" });
    expect(fields('{"b":"y","a":"cut off')).toEqual({ b: "y" });
    expect(textAt('"\\ud800"', { start: 0, end: 8 })).toBe("\ud800");
  });

  test("takes linear time", () => {
    const MEBIBYTE = 1024 * 1024;
    const hostile = [
      "[".repeat(8 * MEBIBYTE),
      `{"a":${'{"a":'.repeat(MEBIBYTE)}`,
      `{"a":"${'\\"'.repeat(4 * MEBIBYTE)}`,
      `{"a":"${"\\".repeat(8 * MEBIBYTE)}`,
      `[${"[],".repeat(2 * MEBIBYTE)}`,
      `{${'"":"",'.repeat(MEBIBYTE)}`,
      " ".repeat(8 * MEBIBYTE),
    ];
    for (const text of hostile) {
      const startedMs = performance.now();
      stringFields(text, ["a", "prompt_cache_key"]);
      parseJson(text);
      for (const _ of elementsOf(text)) break;
      // About 100 ms on a busy machine; quadratic time would take hours.
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    }
  });
});

test("a field does not keep its document in memory", () => {
  const document = (id: number) =>
    JSON.stringify({ session: `session ${id}`, filler: "x".repeat(1_000_000) });
  const measure = () => {
    Bun.gc(true);
    return heapStats().extraMemorySize;
  };
  const before = measure();
  const kept = Array.from({ length: 50 }, (_, id) => stringFields(document(id), ["session"]).session);
  expect(measure() - before).toBeLessThan(10_000_000);
  expect(kept[49]).toBe("session 49");
});
